//! Cargo: how it is run, what decides its output, and whether it still runs.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{sleep, spawn};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{POLL, check_stop, command};

/// What the variables that decide a build begin with.
const BUILD_VARIABLES: [&str; 10] = [
    "AWS_LC_",
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "RUSTC",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];
/// Those that begin so, and do not decide it.
const OTHER_VARIABLES: [&str; 2] = ["CARGO_BUILD_JOBS", "CARGO_TARGET_DIR"];
/// Variables of the C compiler, which may have a prefix or a suffix, such as in `HOST_CC` and `CC_x86_64-unknown-linux-gnu`.
const C_VARIABLES: [&str; 5] = ["AR", "CC", "CFLAGS", "CXX", "CXXFLAGS"];
/// The programs that write build output. Build scripts are a part of it themselves.
const COMPILERS: [&[u8]; 3] = [b"cargo", b"rustc", b"clippy-driver"];

/// Returns a number that differs for builds of this checkout by another compiler, or with another configuration of cargo.
pub(super) fn configuration(root: &Path) -> anyhow::Result<u64> {
    let output = Command::new("rustc").arg("-vV").current_dir(root).output().context("cannot run rustc")?;
    let variables: BTreeMap<_, _> =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(decides_build)).collect();
    let mut hasher = DefaultHasher::new();
    (output.stdout, variables, configuration_files(root)).hash(&mut hasher);
    Ok(hasher.finish())
}

/// Returns the contents of the files that configure cargo in the worktree of any revision, except the revision's own.
fn configuration_files(root: &Path) -> Vec<Vec<u8>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let folders = root.ancestors().map(|folder| folder.join(".cargo")).chain(home);
    let files = folders.flat_map(|folder| ["config.toml", "config"].map(|name| folder.join(name)));
    files.filter_map(|file| fs::read(file).ok()).collect()
}

/// Returns whether the variable of this name has an effect on build output.
fn decides_build(name: &str) -> bool {
    let of_c =
        |base: &&str| name == *base || name.starts_with(&format!("{base}_")) || name.ends_with(&format!("_{base}"));
    !OTHER_VARIABLES.contains(&name)
        && (BUILD_VARIABLES.iter().any(|prefix| name.starts_with(prefix)) || C_VARIABLES.iter().any(of_c))
}

/// Returns whether a process writes to this folder of build output.
pub(super) fn has_compilers(build: &Path) -> bool {
    let build = build.as_os_str().as_encoded_bytes();
    let names_build = |text: &[u8]| text.windows(build.len()).any(|part| part == build);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut commands = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    commands.any(|command| {
        let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        names_build(program) || COMPILERS.contains(&name) && names_build(&command)
    })
}

/// Runs cargo to its end and returns its standard output; ends it, with its compilers, if this run is to end.
pub(super) fn run(
    arguments: &[&str],
    name: &str,
    sources: &Path,
    output: &Path,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<String> {
    let mut cargo = command("cargo");
    // Symbols say in which crate the work is.
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    cargo.args(arguments).arg("--target-dir").arg(output).current_dir(sources);
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    let started = lab::child::start_dependent(cargo);
    let mut cargo = started.context("cannot run cargo; install a Rust toolchain, see https://rustup.rs")?;
    let mut pipe = cargo.stdout.take().expect("it is piped");
    let reader = spawn(move || io::read_to_string(&mut pipe));
    let status = loop {
        if let Some(status) = cargo.try_wait()? {
            break status;
        }
        if let Err(stopped) = check_stop(stop) {
            // All compilers are in its process group.
            killpg(Pid::from_raw(cargo.id().cast_signed()), Signal::SIGTERM)?;
            cargo.wait()?;
            return Err(stopped);
        }
        sleep(POLL);
    };
    if !status.success() {
        bail!("cannot build {name}: cargo ended with {status}; see above");
    }
    Ok(reader.join().expect("reading does not panic")?)
}

/// Returns the executables in cargo's messages, by name. Where they are depends on the user's configuration.
pub(super) fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let paths = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    paths.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_decide_a_build_are_told_from_others() {
        for name in ["RUSTFLAGS", "CARGO_PROFILE_RELEASE_LTO", "CC", "HOST_CC", "CFLAGS_x86_64_unknown_linux_gnu"] {
            assert!(decides_build(name), "{name}");
        }
        for name in ["PATH", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS", "CCACHE_DIR", "CARGO_PKG_NAME", "RUST_LOG"] {
            assert!(!decides_build(name), "{name}");
        }
    }

    #[test]
    fn executables_are_found_in_the_messages_of_cargo() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"jwt"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"jwt-server"},"executable":"/t/x86_64-unknown-linux-gnu/release/jwt-server"}
{"reason":"build-finished","success":true}"#;
        let path = PathBuf::from("/t/x86_64-unknown-linux-gnu/release/jwt-server");
        assert_eq!(executables(messages), BTreeMap::from([("jwt-server".to_owned(), path)]));
    }
}
