#!/bin/sh
# Installs a real pi, once, and prints the path of a `pi` that runs: `tests/pi/install.sh [directory]`, by default
# target/pi-1.6.0. Needs npm; brings a Node along on Linux, because pi needs 22.19 or newer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=${1:-${CARGO_TARGET_DIR:-$here/../../target}/pi-1.6.0}
if [ ! -x "$home/pi" ]; then
  # Made beside it and moved, so that nobody ever runs half of it.
  new="$home.new-$$"
  trap 'rm -rf "$new"' EXIT
  mkdir -p "$new"
  cp "$here/package.json" "$here/package-lock.json" "$new/"
  (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
  cat > "$new/pi" <<'PI'
#!/bin/sh
modules=$(cd "$(dirname "$0")" && pwd)/node_modules
node=node
for own in "$modules"/node-linux-*/bin/node; do
  [ -x "$own" ] && node=$own
done
exec "$node" "$modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js" "$@"
PI
  chmod +x "$new/pi"
  [ -e "$home" ] || mv "$new" "$home"
fi
echo "$(cd "$home" && pwd)/pi"
