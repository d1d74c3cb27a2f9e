#!/usr/bin/env bash
# Installs and builds everything, then compares two versions of the servers: `scripts/gate.sh [flags of authbench gate]`. Paths and
# revisions are those of the current folder.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
(
  cd "$root"
  scripts/bootstrap.sh
  echo "gate: building authbench (the first time takes some minutes)" >&2
  env -u CARGO_BUILD_TARGET cargo build --release --locked --workspace --bins --target-dir target
)
exec "$root/target/release/authbench" gate "$@"
