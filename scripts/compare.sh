#!/usr/bin/env bash
# Sets everything up, then compares: `scripts/compare.sh [authbench compare's flags]`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh
echo "compare: building (the first time takes some minutes)" >&2
cargo build --release --locked --workspace --bins
# Debian keeps haproxy where only root looks.
export PATH="$PATH:/usr/sbin"
exec target/release/authbench compare "$@"
