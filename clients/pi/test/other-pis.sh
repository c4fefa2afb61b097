#!/bin/sh
# Installs the oldest and the newest pi that the extension is for, once, under cargo's target directory, and prints the path
# of each that could be installed: one that npm does not have today is skipped, and says so. Needs Node 22.19 on PATH.
set -u
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../../target}

# Made beside it and moved, so that nobody ever runs half of it.
install() {
  home=$target/pi-$1
  if [ ! -x "$home/pi" ]; then
    new=$home.new-$$
    mkdir -p "$new"
    if ! (cd "$new" && "$2" && printf '#!/bin/sh\nexec node "$(dirname "$0")/%s" "$@"\n' "$3" > pi && chmod +x pi) >&2; then
      echo "SKIPPED: pi $1 could not be installed" >&2
      rm -rf "$new"
      return
    fi
    mv "$new" "$home"
  fi
  echo "$home/pi"
}

oldest() {
  cp "$here/pi-0.73.1/package.json" "$here/pi-0.73.1/package-lock.json" . &&
    timeout 180 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
}

# npm lacks packages that this one asks for. Its bundle needs these alone.
newest() {
  echo '{ "private": true }' > package.json &&
    timeout 180 npm install --ignore-scripts --no-audit --no-fund --loglevel=error \
      jiti@2.7.0 @silvia-odwyer/photon-node@0.3.4 quickjs-wasi@3.6.2 &&
    timeout 60 npm pack --silent @earendil-works/pi-coding-agent@1.5.2 &&
    tar -xzf earendil-works-pi-coding-agent-1.5.2.tgz
}

install 0.73.1 oldest node_modules/@mariozechner/pi-coding-agent/dist/cli.js
install 1.5.2 newest package/dist/bundle/cli.js
