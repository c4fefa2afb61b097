#!/bin/sh
# Installs older releases of pi that the extension is for, once, under cargo's target directory, and prints the path of
# each that could be installed. One that npm does not have today is skipped, with a line on stderr. Needs Node 22.19 on PATH.
set -u
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../../target}

# The directory is made beside its place and then moved, so that no run sees half of it.
install() {
  home=$target/pi-$1
  if [ ! -x "$home/pi" ]; then
    new=$home.new-$$
    mkdir -p "$new"
    cp "$here/pi-$1/package.json" "$here/pi-$1/package-lock.json" "$new/"
    if ! (
      cd "$new" &&
        timeout 180 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error &&
        printf '#!/bin/sh\nexec node "$(dirname "$0")/%s" "$@"\n' "$2" > pi &&
        chmod +x pi
    ) >&2; then
      echo "SKIPPED: pi $1 could not be installed" >&2
      rm -rf "$new"
      return
    fi
    rm -rf "$home"
    mv "$new" "$home"
  fi
  echo "$home/pi"
}

install 0.73.1 node_modules/@mariozechner/pi-coding-agent/dist/cli.js
install 0.87.1 node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js
