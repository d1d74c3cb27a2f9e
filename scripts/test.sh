#!/usr/bin/env bash
# Sets everything up, then runs every check, from cheap to dear. The same here and in CI.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nothing is built twice here, so that what would speed up the next build only takes time and room.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0} CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto} PATH="$PWD/target/tools/bin:$PATH:/usr/sbin"

step() { echo "== $*" >&2; "$@"; }

step scripts/bootstrap.sh --test
step cargo fmt --all --check
step cargo deny --locked --log-level error check bans licenses sources
step cargo clippy --locked --workspace --all-targets -- -D warnings
# The tests start the servers as processes, so that all binaries have to be there.
step cargo build --locked --workspace --bins
step cargo test --locked --workspace --no-fail-fast
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --workspace --no-deps --quiet
