#!/usr/bin/env bash
# Installs everything, then runs every check, from cheap to expensive. CI runs the same script.
#   test.sh         the checks that every change has to pass
#   test.sh --full  all variants of the expensive tests, and the licences and sources of dependencies; nightly in CI
set -euo pipefail
cd "$(dirname "$0")/.."
# Nothing is built twice here, so incremental compilation would only cost time and disk space.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0} CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto} PATH="$PWD/target/tools/bin:$PATH:/usr/sbin"

case ${1:-} in
  --full) export FULL_TESTS=1 ;;
  '') unset FULL_TESTS ;;
  *) echo "test.sh: unknown argument $1; use --full or no argument" >&2; exit 2 ;;
esac

# Where control groups can be written, a test that needs a CPU quota and gets none fails.
quotas() {
  [[ -w /sys/fs/cgroup/cpu/cgroup.procs ]] ||
    { [[ -w /sys/fs/cgroup/cgroup.procs ]] && grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control; }
}
if quotas; then export REQUIRE_CPU_QUOTAS=1; else unset REQUIRE_CPU_QUOTAS; fi

step() { echo "== $*" >&2; "$@"; }

# Texts and names are plain English (docs/glossary.md). These are the commonest words of the dialect that they once had.
plain_english() {
  local words='anew|bereaved|dearer|everybody|foretell|foretells|foretold|garbage|nobody [a-z]+|somebody|spoilt|standstill|unasked|whoever'
  if grep -rniE "(^|[^a-z-])($words)([^a-z]|$)" --include='*.rs' --include='*.md' --include='*.sh' --include='*.toml' \
    --exclude=test.sh --exclude-dir=target --exclude-dir=.git .; then
    echo "test.sh: these lines contain words that are not plain English; use the terms of docs/glossary.md" >&2
    return 1
  fi
}

# From here on Clippy compiles the crates of the workspace: `cargo clippy -- -D warnings` sets the same variables, but compiles
# everything without its code, so that all of it would be compiled twice.
lint_what_is_compiled() {
  step clippy-driver --version
  export RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
}

# Runs several suites at a time if cargo-nextest is installed, otherwise one after the other. The tests start the servers as
# processes, including a faulty one: cargo-nextest builds all binaries and examples together with the tests.
tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    # Tests that share records and reports are quicker in one process.
    local shared='kind(test) and package(/^(evidence|report)$/) and not test(/^reference_runs::/)'
    step cargo nextest run --locked --workspace ${FULL_TESTS:+--profile full} -E "not (kind(bench) or ($shared))"
    step cargo test --locked --workspace --quiet --no-fail-fast --test evidence --test report -- --skip reference_runs::
  else
    step cargo build --locked --workspace --bins --examples
    step cargo test --locked --workspace --no-fail-fast --lib --bins --tests
  fi
}

step scripts/bootstrap.sh --test ${FULL_TESTS:+--full}
step plain_english
step cargo fmt --all --check
if cargo deny --version >/dev/null 2>&1; then
  step cargo deny --locked --log-level error check bans licenses sources
else
  echo "== cargo-deny is not installed: skipping the check of licences and sources of dependencies (--full installs it)" >&2
fi
lint_what_is_compiled
tests
step cargo test --locked --workspace --quiet --bench operations --bench signature
step cargo test --locked --workspace --quiet --doc
# The documentation needs all dependencies once more, in another form.
[[ -z ${FULL_TESTS:-} ]] || RUSTDOCFLAGS="-D warnings" step cargo doc --locked --workspace --no-deps --quiet
