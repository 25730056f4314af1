#!/usr/bin/env bash
# Gets what the tests need beside Python packages: Chromium, PostgreSQL, the Weaviate server, axe-core.
# Idempotent; what can't be had is said here, and its tests are skipped with the same reason.
set -uo pipefail
cd "$(dirname "$0")/.."

cache=${PLUMBLINETEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/plumbline-tests}
mkdir -p "$cache/bin"
weaviate=v1.39.0
axe=4.14.1

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

if ! command -v chromium >/dev/null; then
  if command -v apt-get >/dev/null && as_root true; then
    echo "Getting Chromium …" >&2
    { as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } \
      >"$cache/chromium.log" 2>&1 || echo "Chromium could not be installed: see $cache/chromium.log" >&2
  else
    echo "No Chromium, and no way to install it (needs root or sudo, and apt-get)." >&2
  fi
fi

if ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  if command -v apt-get >/dev/null && as_root true; then
    echo "Getting PostgreSQL …" >&2
    { as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends postgresql; } \
      >"$cache/postgres.log" 2>&1 || echo "PostgreSQL could not be installed: see $cache/postgres.log" >&2
  else
    echo "No PostgreSQL, and no way to install it (needs root or sudo, and apt-get)." >&2
  fi
fi

if [ ! -x "$cache/bin/weaviate-server" ] || [ "$(cat "$cache/weaviate.version" 2>/dev/null)" != "$weaviate" ]; then
  if command -v go >/dev/null; then
    echo "Building the Weaviate server $weaviate (some minutes, once) …" >&2
    if GOBIN="$cache/bin" CGO_ENABLED=0 go install "github.com/weaviate/weaviate/cmd/weaviate-server@$weaviate" \
      >"$cache/weaviate.log" 2>&1; then
      echo "$weaviate" >"$cache/weaviate.version"
    else
      echo "Weaviate could not be built: see $cache/weaviate.log" >&2
    fi
  else
    echo "No Go: the Weaviate server can't be built." >&2
  fi
fi

if [ ! -f "$cache/axe.min.js" ] || [ "$(cat "$cache/axe.version" 2>/dev/null)" != "$axe" ]; then
  if command -v npm >/dev/null; then
    work=$(mktemp -d)
    if (cd "$work" && npm pack --silent "axe-core@$axe" >/dev/null 2>&1 && tar xzf axe-core-*.tgz package/axe.min.js); then
      mv "$work/package/axe.min.js" "$cache/axe.min.js" && echo "$axe" >"$cache/axe.version"
    else
      echo "axe-core could not be fetched from npm." >&2
    fi
    rm -rf "$work"
  else
    echo "No npm: axe-core can't be fetched." >&2
  fi
fi
exit 0
