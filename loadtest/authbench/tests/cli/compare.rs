//! `authbench compare` with the shortest experiments.

use std::os::unix::fs::symlink;

use engine::record::{Status, WireExperiment};

use crate::support::{
    SKIP_CONFORMANCE, TestDir, authbench, command, exclusive, runs_full_tests, stderr, stdout, write_server_wrappers,
};

#[test]
fn comparison_prints_the_path_of_a_complete_run() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let schemes = if runs_full_tests() { "all" } else { "anonymous,session-redis,cookie-sealed,jwt-hs256,hybrid" };
    let arguments = [
        "compare",
        "--schemes",
        schemes,
        "--experiments",
        "wire",
        "--seed",
        "7",
        SKIP_CONFORMANCE,
        "--out",
        run.to_str().unwrap(),
    ];
    let output = authbench(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let path = stdout(&output).lines().last().unwrap().to_owned();
    assert_eq!(std::fs::canonicalize(&path).unwrap(), std::fs::canonicalize(&run).unwrap());

    let record = record_file::read(&run).unwrap();
    assert_eq!(record.run.status, Status::Complete);
    assert_eq!(record.run.seed, 7);
    assert_eq!(record.run.command_line[1..], arguments);
    let cpus = std::thread::available_parallelism().unwrap().get() as u32;
    assert_eq!(record.host.cpus, cpus, "of the machine, not of the generator");
    let [omission] = &record.omitted[..] else { panic!("{:?}", record.omitted) };
    assert_eq!(omission.what, "conformance", "a run without conformance checks is marked");
    assert!(std::fs::read_to_string(run.join("report.md")).unwrap().contains(SKIP_CONFORMANCE));
    let schemes_compared = if runs_full_tests() { contract::Scheme::all().count() } else { 5 };
    let wire = record.data::<WireExperiment>().expect("wire was asked for");
    assert_eq!(wire.points.len(), schemes_compared * 2 * 3, "schemes, carriers, numbers of roles");
    for point in &wire.points {
        assert_eq!(point.credential_bytes == 0, point.scheme == "anonymous", "{point:?}");
    }
    for file in ["report.html", "report.md", "charts", "logs"] {
        assert!(run.join(file).exists(), "{file}");
    }
}

#[test]
fn report_is_rebuilt_byte_for_byte() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let args = ["compare", "--schemes", "jwt-eddsa", "--experiments", "wire", "--out", run.to_str().unwrap()];
    let servers = ["anonymous-server", "jwt-server"].map(|name| (name, name, &[][..]));
    let output = command(&args).env(lab::server::BIN_DIR, write_server_wrappers(&dir, &servers)).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let record = record_file::read(&run).unwrap();
    let [checked] = &record.conformance[..] else { panic!("{:?}", record.conformance) };
    assert_eq!((checked.scheme.as_str(), checked.failed.len()), ("jwt-eddsa", 0));
    assert!(checked.passed > 20, "{checked:?}");
    assert_eq!(record.omitted, []);
    let read = |name: &str| std::fs::read(run.join(name)).unwrap();
    let before = (read("report.html"), read("report.md"));
    std::fs::remove_file(run.join("report.html")).unwrap();
    let rebuilt = authbench(&["report", run.join("record.json").to_str().unwrap()]);
    assert!(rebuilt.status.success(), "{}", stderr(&rebuilt));
    assert!(before == (read("report.html"), read("report.md")));
}

#[test]
fn revocation_violation_fails_the_run_after_the_reports_are_written() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let output = command(&[
        "compare",
        "--schemes",
        "session-redis",
        "--experiments",
        "revocation",
        SKIP_CONFORMANCE,
        "--out",
        run.to_str().unwrap(),
    ])
    .env(lab::server::BIN_DIR, faulty_binaries(&dir))
    .output()
    .unwrap();
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(10), "{printed}");
    assert!(
        printed.contains("session-redis violates its revocation class immediate") && printed.contains("(logout)"),
        "{printed}"
    );
    assert!(printed.contains("node 4"), "every node is named: {printed}");
    assert!(stdout(&output).contains("REVOCATION GUARANTEE VIOLATED"), "{}", stdout(&output));
    let record = record_file::read(&run).unwrap();
    assert_eq!(record.run.status, Status::Complete);
    assert!(std::fs::read_to_string(run.join("report.md")).unwrap().contains("Revocation guarantee violated"));
}

/// Returns a folder with a session server whose logouts revoke nothing, one of the faults that the conformance suite
/// has to detect.
fn faulty_binaries(dir: &TestDir) -> std::path::PathBuf {
    let folder = write_server_wrappers(dir, &[("session-server", "examples/broken", &["--fault", "logout-nothing"])]);
    symlink(lab::server::locate("anonymous-server").unwrap(), folder.join("anonymous-server")).unwrap();
    folder
}
