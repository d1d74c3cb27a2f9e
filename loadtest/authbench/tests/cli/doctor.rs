//! `authbench doctor`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{TestDir, authbench, command, exclusive, start, stderr, stdout, wait_until};

const NAMES: [&str; 21] = [
    "processors",
    "memory",
    "virtual-machine",
    "clock-source",
    "frequency-governor",
    "other-load",
    "pinning",
    "priority",
    "cpu-quotas",
    "redis",
    "redis-cluster",
    "postgres",
    "haproxy",
    "valgrind",
    "server-binaries",
    "timer",
    "delay-proxy",
    "saturator",
    "generator-ceiling",
    "lag",
    "steal",
];
/// The folder of PostgreSQL on Debian-based systems, which is found regardless of PATH.
const PACKAGED_POSTGRES: &str = "/usr/lib/postgresql";

/// Returns the object of `--json`; the exit code is 0 regardless of the findings.
fn parse_result(output: &Output) -> Value {
    assert!(output.status.success(), "{:?}: {}", output.status, stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn finding<'a>(result: &'a Value, name: &str) -> &'a Value {
    let found = result["findings"].as_array().unwrap().iter().find(|finding| finding["name"] == name);
    found.unwrap_or_else(|| panic!("nothing of {name}: {result}"))
}

fn names(result: &Value) -> Vec<&str> {
    let findings = result["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["name"].as_str().unwrap()).collect()
}

fn ids(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

#[test]
fn doctor_examines_everything_once_and_gives_advice() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let mut doctor = command(&["doctor", "--json"]);
    doctor.env("TMPDIR", dir.path());
    let result = parse_result(&start(doctor).wait_with_output().unwrap());
    assert_eq!(names(&result), NAMES);
    for finding in result["findings"].as_array().unwrap() {
        let good = finding["state"] == "good";
        assert!(good || finding["state"] == "limited" || finding["state"] == "missing", "{finding}");
        assert_eq!(finding["to_do"].is_null(), good, "{finding}");
        assert!(!finding["found"].as_str().unwrap().is_empty() && !finding["means"].as_str().unwrap().is_empty());
    }
    // The tests of the workspace need these, so they are installed.
    assert_eq!(finding(&result, "redis")["state"], "good");
    assert_eq!(finding(&result, "server-binaries")["state"], "good");
    assert!(finding(&result, "saturator")["found"].as_str().unwrap().contains("requests/s"));
    assert!(ids(&result["schemes"]).contains("session-redis"));
    let experiments = result["experiments"].as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap());
    let expected: Vec<&str> = engine::Experiment::all().map(engine::Experiment::id).collect();
    assert_eq!(experiments.collect::<Vec<_>>(), expected);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

/// Also without servers: then there is nothing to load, which is a finding and not an error.
#[test]
fn missing_programs_are_findings_and_other_probes_continue() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let mut doctor = command(&["doctor", "--json"]);
    doctor.env("PATH", "/nowhere").env("AUTHBENCH_BIN_DIR", dir.path());
    let result = parse_result(&start(doctor).wait_with_output().unwrap());
    assert_eq!(names(&result), NAMES);
    let missing = [
        ("redis", "apt-get install redis-server"),
        ("redis-cluster", "apt-get install redis-server"),
        ("haproxy", "apt-get install haproxy"),
        ("valgrind", "apt-get install valgrind"),
        ("server-binaries", "cargo build --release --workspace --bins"),
        ("saturator", "fix"),
        ("generator-ceiling", "saturator"),
        ("lag", "saturator"),
    ];
    let postgres = (!Path::new(PACKAGED_POSTGRES).exists()).then_some(("postgres", "apt-get install postgresql"));
    for (name, advice) in missing.into_iter().chain(postgres) {
        let finding = finding(&result, name);
        assert_eq!(finding["state"], "missing", "{finding}");
        assert!(finding["to_do"].as_str().unwrap().contains(advice), "{finding}");
    }
    assert!(finding(&result, "timer")["found"].as_str().unwrap().contains("late"), "the other probes ran");
    assert!(ids(&finding(&result, "redis")["schemes_left_out"]).contains("jwt-hs256-denylist"));
    assert!(ids(&result["schemes"]).is_empty(), "no server was built");
    let cost = &result["experiments"][0];
    assert_eq!((&cost["name"], &cost["measurable"]), (&"cost".into(), &"nothing".into()));
    assert!(ids(&cost["because"]).contains("server-binaries"), "{cost}");
}

#[test]
fn text_output_has_the_same_findings() {
    let _lock = exclusive();
    let mut doctor = command(&["doctor"]);
    doctor.env("PATH", "/nowhere");
    let output = start(doctor).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let printed = stdout(&output);
    let heads = printed.lines().filter_map(|line| {
        let (state, rest) = line.split_once(' ')?;
        ["good", "limited", "missing"].contains(&state).then(|| rest.split_whitespace().next().unwrap())
    });
    assert_eq!(heads.collect::<Vec<_>>(), NAMES, "{printed}");
    assert!(printed.contains("apt-get install redis-server"), "{printed}");
    let summary = printed.lines().skip_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert!(summary.contains("can be measured") && summary.contains("session-redis-pool"), "{printed}");
    assert!(!printed.contains('\u{1b}'), "no colours: {printed}");
}

#[test]
fn invalid_doctor_arguments_are_usage_errors() {
    for arguments in [&["doctor", "--jason"][..], &["doctor", "now"], &["doctor", "--json", "yes"]] {
        let output = authbench(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn interrupted_doctor_prints_no_result_and_leaves_no_files() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let mut doctor = command(&["doctor", "--json"]);
    doctor.env("TMPDIR", dir.path());
    let doctor = start(doctor);
    // The log exists as soon as the control is loaded.
    let control_started = || {
        let folders = std::fs::read_dir(dir.path()).unwrap().flatten();
        folders.into_iter().any(|folder| folder.path().join("control.log").exists())
    };
    wait_until("the control is started", Duration::from_mins(1), control_started);
    kill(Pid::from_raw(doctor.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let output = doctor.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("interrupted"), "{}", stderr(&output));
    assert!(output.stdout.is_empty(), "{}", stdout(&output));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}
