#!/usr/bin/env bash
# Installs the programs that building, comparing and testing need besides a Rust toolchain, and prints what it does.
# Fast if nothing is missing. Called by compare.sh and test.sh.
#   bootstrap.sh                   requirements of compare
#   bootstrap.sh --test [--full]   also the requirements of the tests; --full: of all tests
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "bootstrap: $*" >&2; }

command -v cargo >/dev/null || { say "cargo not found; install a Rust toolchain, see https://rustup.rs"; exit 1; }

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v redis-server >/dev/null || missing+=(redis-server)
postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }
postgres || missing+=(postgresql)

# Debian installs it into /usr/sbin, which is only in root's PATH.
PATH="$PATH:/usr/sbin"
command -v haproxy >/dev/null || missing+=(haproxy)
command -v valgrind >/dev/null || missing+=(valgrind)

# Only a test uses it, in front of PostgreSQL.
[[ ${1:-} == --test ]] && { command -v pgbouncer >/dev/null || missing+=(pgbouncer); }

install() {
  say "installing ${missing[*]} with apt-get"
  # RUNLEVEL=1 keeps the services of the packages stopped: authbench starts private ones.
  "$@" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c \
    'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "${missing[@]}" >&2
}

if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null; then
    say "missing: ${missing[*]}; install them with this system's package manager"
  elif ((EUID == 0)); then
    install || say "cannot install ${missing[*]}: apt-get failed, see above"
  elif sudo -n true 2>/dev/null; then
    install sudo || say "cannot install ${missing[*]}: apt-get failed, see above"
  else
    say "missing: ${missing[*]}; as root, run: apt-get install ${missing[*]}"
  fi
  command -v cc >/dev/null || { say "cannot build: no C compiler (cc) in PATH; install gcc and libc6-dev"; exit 1; }
  command -v redis-server >/dev/null || say "without redis-server, schemes that use Redis are left out"
  postgres || say "without PostgreSQL, schemes that use it are left out"
  command -v haproxy >/dev/null || say "without haproxy, --balancer haproxy fails"
  command -v valgrind >/dev/null || say "without valgrind, the experiment counters is left out"
fi

if [[ ${2:-} == --full ]] && ! { cargo deny --version || target/tools/bin/cargo-deny --version; } >/dev/null 2>&1; then
  say "building cargo-deny into target/tools, once (some minutes)"
  cargo install --quiet --locked --debug --root target/tools cargo-deny@0.20.2
fi
