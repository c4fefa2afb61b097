#!/bin/sh
# Installs real clients of the gateway, once, and prints the directory they are in: `tests/gateway-clients/install.sh
# [directory]`, by default target/gateway-clients. Needs npm and python3. `bin/NAME` in it runs each: codex, opencode, node
# and python; the last two see the SDKs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=${1:-${CARGO_TARGET_DIR:-$here/../../target}/gateway-clients}
if [ ! -d "$home/bin" ]; then
  # Made beside it and moved, so that no test ever runs half of it.
  new="$home.new-$$"
  trap 'rm -rf "$new"' EXIT
  mkdir -p "$new"
  cp "$here/package.json" "$here/package-lock.json" "$new/"
  (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
  python3 -m venv "$new/python" >&2
  "$new/python/bin/python3" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
  mkdir "$new/programs"
  cat > "$new/programs/node" <<'NODE'
#!/bin/sh
home=$(cd "$(dirname "$0")/.." && pwd)
node=$(PATH=${PATH#"$home/bin:"} command -v node)
for own in "$home"/node_modules/node-linux-*/bin/node; do
  [ -x "$own" ] && node=$own
done
exec "$node" "$@"
NODE
  cat > "$new/programs/python" <<'PYTHON'
#!/bin/sh
exec "$(cd "$(dirname "$0")/.." && pwd)/python/bin/python3" "$@"
PYTHON
  cat > "$new/programs/codex" <<'CODEX'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/node" "$here/../node_modules/@openai/codex/bin/codex.js" "$@"
CODEX
  cat > "$new/programs/opencode" <<'OPENCODE'
#!/bin/sh
for program in "$(dirname "$0")"/../node_modules/opencode-*/bin/opencode; do
  exec "$program" "$@"
done
OPENCODE
  chmod +x "$new"/programs/*
  mv "$new/programs" "$new/bin"
  [ -e "$home" ] || mv "$new" "$home"
fi
cd "$home" && pwd
