#!/usr/bin/env bash
# Sets everything up, then runs every check, from cheap to expensive. The same here and in CI.
#   test.sh         what every change has to pass
#   test.sh --full  all variants of the expensive tests, and the licences and sources of dependencies; nightly in CI
set -euo pipefail
cd "$(dirname "$0")/.."
# Nothing is built twice here, so that what would speed up the next build only takes time and room.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0} CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto} PATH="$PWD/target/tools/bin:$PATH:/usr/sbin"

case ${1:-} in
  --full) export FULL_TESTS=1 ;;
  '') unset FULL_TESTS ;;
  *) echo "test.sh: unknown argument $1; give --full or nothing" >&2; exit 2 ;;
esac

# Where control groups can be written, a test that needs a CPU quota and gets none fails.
quotas() {
  [[ -w /sys/fs/cgroup/cpu/cgroup.procs ]] ||
    { [[ -w /sys/fs/cgroup/cgroup.procs ]] && grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control; }
}
if quotas; then export REQUIRE_CPU_QUOTAS=1; else unset REQUIRE_CPU_QUOTAS; fi

step() { echo "== $*" >&2; "$@"; }

# Several suites at a time where cargo-nextest is installed, one after the other elsewhere.
tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    step cargo nextest run --locked --workspace ${FULL_TESTS:+--profile full} -E 'not kind(bench)'
  else
    step cargo test --locked --workspace --no-fail-fast --lib --bins --tests
  fi
}

step scripts/bootstrap.sh --test ${FULL_TESTS:+--full}
step cargo fmt --all --check
if cargo deny --version >/dev/null 2>&1; then
  step cargo deny --locked --log-level error check bans licenses sources
else
  echo "== without cargo-deny: licences and sources of dependencies are not checked (--full builds it)" >&2
fi
step cargo clippy --locked --workspace --all-targets -- -D warnings
# The tests start the servers as processes, good ones and a broken one, so that all have to be there.
step cargo build --locked --workspace --bins --examples
tests
step cargo test --locked --workspace --quiet --bench issue --bench verify
step cargo test --locked --workspace --quiet --doc
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --workspace --no-deps --quiet
