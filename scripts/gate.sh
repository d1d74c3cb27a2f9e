#!/usr/bin/env bash
# Installs and builds everything, then compares two versions of the servers: `scripts/gate.sh [flags of authbench gate]`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh
echo "gate: building authbench (the first time takes some minutes)" >&2
cargo build --release --locked --workspace --bins
exec target/release/authbench gate "$@"
