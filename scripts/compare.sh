#!/usr/bin/env bash
# Installs and builds everything, then compares: `scripts/compare.sh [flags of authbench compare]`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh
echo "compare: building (the first time takes some minutes)" >&2
cargo build --release --locked --workspace --bins
# Debian installs haproxy into /usr/sbin, which is only in root's PATH.
export PATH="$PATH:/usr/sbin"
exec target/release/authbench compare "$@"
