#!/usr/bin/env bash
# Makes or renews .venv: `deploy/environment.sh run` for the console, `… dev` for the tests too, `… bench` with what
# only the measurements compare themselves with.
# uv where it is there, pip where not. Does nothing where the environment already fits.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=${1:-run}
case "$wanted" in
  run) lock=deploy/requirements.txt ;;
  dev) lock=deploy/requirements-dev.txt ;;
  bench) lock=deploy/requirements-bench.txt ;;
  *) echo "usage: deploy/environment.sh run|dev|bench" >&2; exit 2 ;;
esac

stamp() { cat "$1" pyproject.toml deploy/environment.sh | sha256sum | cut -d' ' -f1; }
fits() { [ -x .venv/bin/plumbline ] && [ -f ".venv/.$1" ] && [ "$(cat ".venv/.$1")" = "$(stamp "$2")" ]; }

if fits "$wanted" "$lock"; then exit 0; fi
if [ "$wanted" = run ] && fits dev deploy/requirements-dev.txt; then exit 0; fi

interpreter() {
  for p in python3 python3.13 python3.12 python3.11; do
    if command -v "$p" >/dev/null && "$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$p"; return
    fi
  done
  echo "Plumbline needs Python 3.11 or later; none was found." >&2
  exit 2
}

if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
  [ -x .venv/bin/python ] || uv venv --quiet --python "$(interpreter)" .venv
  uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock"
  uv pip install --quiet --python .venv/bin/python --no-deps -e .
else
  python=$(interpreter)
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
      echo "Python's venv is missing: sudo apt-get install python3-venv" >&2
      exit 2
    fi
  fi
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  # An environment that uv made has no pip of its own.
  .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --upgrade >/dev/null
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
stamp "$lock" > ".venv/.$wanted"
