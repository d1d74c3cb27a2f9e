//! Determines the build provenance for the records: the commit, the compiler, and the versions of the main libraries.

use std::process::Command;

const LIBRARIES: [&str; 8] =
    ["axum", "aws-lc-rs", "deadpool-redis", "goose", "hdrhistogram", "jsonwebtoken", "redis", "tokio"];

fn main() {
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    println!("cargo::rerun-if-changed=../../.git/logs/HEAD");
    println!("cargo::rerun-if-changed=../../.git/index");
    if let Some(revision) = output("git", &["rev-parse", "--short=12", "HEAD"]) {
        let changes = output("git", &["status", "--porcelain", "--untracked-files=no"]);
        let suffix = if changes.is_none_or(|changes| changes.is_empty()) { "" } else { "-dirty" };
        println!("cargo::rustc-env=AUTHBENCH_REVISION={revision}{suffix}");
    }
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = output(&rustc, &["--version"]).unwrap_or_default();
    println!("cargo::rustc-env=AUTHBENCH_COMPILER={}", compiler.trim_start_matches("rustc "));
    println!("cargo::rustc-env=AUTHBENCH_LIBRARIES={}", libraries().join(","));
}

/// Returns `name version` of each library, from the lock file.
fn libraries() -> Vec<String> {
    let lock = std::fs::read_to_string("../../Cargo.lock").unwrap_or_default();
    let quoted = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_matches('"').to_owned());
    let lines: Vec<&str> = lock.lines().collect();
    lines
        .windows(2)
        .filter_map(|pair| Some((quoted(pair[0], "name = ")?, quoted(pair[1], "version = ")?)))
        .filter(|(name, _)| LIBRARIES.contains(&name.as_str()))
        .map(|(name, version)| format!("{name} {version}"))
        .collect()
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
