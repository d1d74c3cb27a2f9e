//! How a gate builds revisions: real git and cargo, in a small repository with the layout of authbench.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{TestDir, command, start, stderr, wait_until};

const SERVERS: [&str; 4] = ["anonymous", "session", "jwt", "hybrid"];
/// A build, or its end, takes less than this.
const LIMIT: Duration = Duration::from_mins(2);

/// A repository whose servers exit at once: a gate builds them, and then cannot count them.
struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// Has two commits, whose servers exit with 3 and 4.
    fn new(dir: &TestDir) -> Self {
        let checkout = Self { root: dir.path().join("checkout") };
        let members = SERVERS.map(|name| format!("\"servers/{name}\""));
        let workspace = format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", "));
        let mut locked: Vec<&str> = SERVERS.to_vec();
        locked.sort_unstable();
        let locked = locked.iter().map(|name| format!("[[package]]\nname = \"{name}\"\nversion = \"0.0.0\"\n"));
        checkout.write("Cargo.toml", &workspace);
        checkout.write("Cargo.lock", &format!("version = 4\n\n{}", locked.collect::<Vec<_>>().join("\n")));
        checkout.write(".gitignore", "target/\n");
        for name in SERVERS {
            let package = format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[[bin]]\nname = \
                 \"{name}-server\"\npath = \"src/main.rs\"\n"
            );
            checkout.write(&format!("servers/{name}/Cargo.toml"), &package);
        }
        checkout.git(&["init", "--quiet"]);
        checkout.commit(3);
        checkout.commit(4);
        checkout
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits servers that exit with this code.
    fn commit(&self, code: u8) {
        for name in SERVERS {
            let main = format!("//! Exits.\n\nfn main() {{\n    std::process::exit({code});\n}}\n");
            self.write(&format!("servers/{name}/src/main.rs"), &main);
        }
        self.git(&["add", "--all"]);
        self.git(&["-c", "user.name=test", "-c", "user.email=test@example.test", "commit", "--quiet", "-m", "servers"]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        // A hook that runs the tests has variables which lead to the user's own repository.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
            git.env_remove(name);
        }
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = git.args(arguments).current_dir(&self.root).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns a gate of both commits, which stops at the first server.
    fn gate(&self) -> Command {
        let out = self.root.with_extension("run");
        let versions = ["gate", "--base", "HEAD~1", "--head", "HEAD", "--schemes", "anonymous", "--out"];
        let mut gate = command(&[&versions[..], &[out.to_str().unwrap()]].concat());
        gate.current_dir(&self.root);
        gate
    }

    /// Runs the gate to its end, and returns the names of the versions that it built.
    #[track_caller]
    fn built(&self, gate: &mut Command) -> Vec<String> {
        let output: Output = gate.output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains("anonymous-server"), "the server that exits is named: {printed}");
        // It has the logs of the servers that exited.
        fs::remove_dir_all(self.root.with_extension("run")).unwrap();
        assert_eq!(self.git(&["worktree", "list"]).lines().count(), 1, "no worktree is left");
        let names = printed.lines().filter_map(|line| line.split_once("gate: building ")).map(|(_, name)| name);
        names.map(|name| name.split(' ').next().unwrap().to_owned()).collect()
    }

    /// Returns the exit codes of the servers that were kept for a revision, a code per configuration.
    fn kept(&self, revision: &str) -> Vec<Option<i32>> {
        let commit = self.git(&["rev-parse", revision]);
        let folders = fs::read_dir(self.root.join("target/gate")).unwrap().map(|entry| entry.unwrap().path());
        let of_commit = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(commit.trim());
        let run = |path: PathBuf| Command::new(path.join("anonymous-server")).status().unwrap().code();
        folders.filter(of_commit).map(run).collect()
    }
}

#[test]
fn revisions_are_built_once_for_each_configuration() {
    let dir = TestDir::new();
    let checkout = Checkout::new(&dir);
    assert_eq!(checkout.built(&mut checkout.gate()), ["HEAD~1", "HEAD"]);
    assert_eq!((checkout.kept("HEAD~1"), checkout.kept("HEAD")), (vec![Some(3)], vec![Some(4)]));
    assert_eq!(checkout.built(&mut checkout.gate()), [""; 0], "both are kept");
    let profile = ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    assert_eq!(checkout.built(checkout.gate().env(profile.0, profile.1)), ["HEAD~1", "HEAD"]);
    checkout.write(".cargo/config.toml", "[profile.release]\nopt-level = 2\n");
    assert_eq!(checkout.built(&mut checkout.gate()), ["HEAD~1", "HEAD"]);
    assert_eq!(checkout.kept("HEAD"), [Some(4); 3]);
}

#[test]
fn working_tree_is_built_with_its_changes_each_time() {
    let dir = TestDir::new();
    let checkout = Checkout::new(&dir);
    checkout.write("servers/anonymous/src/main.rs", "//! Ends well.\n\nfn main() {}\n");
    let out = checkout.root.with_extension("run");
    let gate = || {
        let mut gate = command(&["gate", "--base", "HEAD", "--schemes", "anonymous", "--out", out.to_str().unwrap()]);
        gate.current_dir(&checkout.root);
        gate
    };
    assert_eq!(checkout.built(&mut gate()), ["HEAD", "working"]);
    assert_eq!(checkout.built(&mut gate()), ["working"]);
    let kept = fs::read_dir(checkout.root.join("target/gate")).unwrap();
    let kept: Vec<String> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!kept.iter().any(|name| name.starts_with("work")), "{kept:?}");
}

/// A build takes minutes.
#[test]
fn folder_of_the_run_is_checked_before_a_build() {
    let dir = TestDir::new();
    let checkout = Checkout::new(&dir);
    fs::create_dir_all(checkout.root.with_extension("run").join("old")).unwrap();
    let output = checkout.gate().output().unwrap();
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("is not empty") && !printed.contains("building"), "{printed}");
    // An empty folder stays as it is, even if it is the current one.
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, Permissions::from_mode(0o700)).unwrap();
    let programs = checkout.root.join("target/gate");
    let [base, head] = ["HEAD~1", "HEAD"].map(|revision| {
        let folder = programs.join(revision);
        fs::create_dir_all(&folder).unwrap();
        fs::copy("/bin/false", folder.join("anonymous-server")).unwrap();
        folder
    });
    let versions = ["--base", base.to_str().unwrap(), "--head", head.to_str().unwrap()];
    let mut gate = command(&[&["gate"], &versions[..], &["--schemes", "anonymous", "--out", "."]].concat());
    let output = gate.current_dir(&empty).output().unwrap();
    assert!(stderr(&output).contains("anonymous-server"), "{}", stderr(&output));
    assert_eq!(fs::metadata(&empty).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn linked_worktree_is_a_checkout() {
    let dir = TestDir::new();
    let checkout = Checkout::new(&dir);
    let linked = dir.path().join("linked");
    checkout.git(&["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
    let output = checkout.gate().current_dir(&linked).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("gate: building HEAD~1"), "{}", stderr(&output));
    assert!(linked.join("target/gate").is_dir() && !checkout.root.join("target").exists());
    assert_eq!(checkout.git(&["worktree", "list"]).lines().count(), 2);
}

#[test]
fn second_gate_waits_for_the_build_of_the_first() {
    let dir = TestDir::new();
    let checkout = Checkout::new(&dir);
    fs::create_dir_all(checkout.root.join("target/gate")).unwrap();
    let lock = fs::File::create(checkout.root.join("target/gate/lock")).unwrap();
    lock.lock().unwrap();
    let printed = dir.path().join("stderr");
    let mut second = checkout.gate();
    second.stderr(fs::File::create(&printed).unwrap());
    let mut second = second.spawn().unwrap();
    let read = || fs::read_to_string(&printed).unwrap();
    wait_until("the second gate waits", LIMIT, || read().contains("waiting for another gate"));
    assert!(!read().contains("building"), "{}", read());
    drop(lock);
    assert_eq!(second.wait().unwrap().code(), Some(1));
    assert!(read().contains("building HEAD~1"), "{}", read());
}

/// Cargo would otherwise go on to build, and hold what the next gate needs.
#[test]
fn cargo_ends_with_a_killed_gate() {
    let dir = TestDir::new();
    let checkout = Checkout::new(&dir);
    let (building, go_on) = (dir.path().join("building"), dir.path().join("go-on"));
    let script = format!(
        "//! Writes the id of cargo, and waits.\n\nfn main() {{\n    let cargo = std::os::unix::process::parent_id();\n    \
         std::fs::write({building:?}, cargo.to_string()).unwrap();\n    for _ in 0..12_000 {{\n        if \
         std::path::Path::new({go_on:?}).exists() {{\n            return;\n        }}\n        \
         std::thread::sleep(std::time::Duration::from_millis(10));\n    }}\n}}\n"
    );
    checkout.write("servers/anonymous/build.rs", &script);
    checkout.commit(5);
    let mut gate = start(checkout.gate());
    let cargo = || fs::read_to_string(&building).ok()?.parse::<i32>().ok();
    wait_until("the build waits", LIMIT, || cargo().is_some());
    let cargo = cargo().unwrap();
    assert!(runs(cargo));
    kill(Pid::from_raw(gate.id().cast_signed()), Signal::SIGKILL).unwrap();
    gate.wait().unwrap();
    assert!(!checkout.root.with_extension("run").exists(), "a run begins after the builds");
    wait_until("cargo ends", LIMIT, || !runs(cargo));
    fs::write(go_on, "").unwrap();
    assert_eq!(checkout.built(&mut checkout.gate()), ["HEAD"], "the next gate builds what is missing");
}

/// Returns whether a process runs. One that has ended may not be waited for yet.
fn runs(pid: i32) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}
