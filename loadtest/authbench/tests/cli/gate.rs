//! The gate from the user's perspective: versions from binaries and runs, verdicts and exit codes.

use std::path::Path;

use engine::record::{GateExperiment, Record, Side};
use lab::server::locate;

use crate::support::{TestDir, authbench, command, exclusive, reference_record, stderr, stdout};

/// Runs a gate, and checks the exit code and words that it prints. Returns its standard output.
#[track_caller]
fn expect_gate(arguments: &[&str], code: i32, words: &[&str]) -> String {
    let output = authbench(&[&["gate"], arguments].concat());
    let printed = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
    for word in words {
        assert!(printed.contains(word), "{arguments:?} does not say {word:?}: {printed}");
    }
    stdout(&output)
}

/// Writes a gate as a run, after this change, and returns its folder.
fn write_run(dir: &TestDir, name: &str, change: impl FnOnce(&mut Record)) -> String {
    let mut record = synthetic::gate::record(synthetic::gate::gate());
    change(&mut record);
    let folder = dir.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    record_file::write(&folder, &record).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// Makes the head of a run equal to its base.
fn without_rise(record: &mut Record) {
    let gate = record.data_mut::<GateExperiment>().unwrap();
    gate.head = gate.version(Side::Base).clone();
}

#[test]
fn equal_binaries_pass_and_their_run_can_be_a_base() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let folder = locate("anonymous-server").unwrap().parent().unwrap().to_str().unwrap().to_owned();
    let run = dir.run();
    let run = run.to_str().unwrap();
    let versions = ["--base", &folder, "--head", &folder, "--schemes", "anonymous"];
    let printed = expect_gate(&[&versions[..], &["--out", run]].concat(), 0, &["anonymous", "PASS"]);
    assert_eq!(printed.lines().last(), Some(run));
    let report = std::fs::read_to_string(Path::new(run).join("report.md")).unwrap();
    assert!(report.contains("# Regression gate") && report.contains("System calls"), "{report}");
    let again = dir.path().join("again");
    let again = ["--out", again.to_str().unwrap()];
    expect_gate(&[&["--base", run, "--head", run, "--schemes", "anonymous"], &again[..]].concat(), 0, &["PASS"]);
}

#[test]
fn rise_between_runs_fails_and_names_scheme_metric_and_size() {
    let dir = TestDir::new();
    let (base, head) = (write_run(&dir, "base", without_rise), write_run(&dir, "head", |_| ()));
    let out = dir.run();
    let versions = ["--base", &base, "--head", &head, "--out", out.to_str().unwrap()];
    let row = "FAIL session-redis store commands 1.00 → 2.00 (+100.0 %, allowed +1.0 %)";
    expect_gate(&versions, 10, &[row, "does more work"]);
    assert!(out.join("report.html").exists());
}

/// In a job of GitHub Actions a gate appends its result to the summary; its exit code is the same if that fails.
#[test]
fn result_is_appended_to_the_summary_of_the_job() {
    let dir = TestDir::new();
    let (base, head) = (write_run(&dir, "base", without_rise), write_run(&dir, "head", |_| ()));
    let summary = dir.file("summary.md", "# Tests\n");
    let gate = |out: &str, summary: &Path| {
        let out = dir.path().join(out);
        let mut gate = command(&["gate", "--base", &base, "--head", &head, "--out", out.to_str().unwrap()]);
        let output = gate.env("GITHUB_STEP_SUMMARY", summary).output().unwrap();
        assert_eq!(output.status.code(), Some(10), "{}", stderr(&output));
        stderr(&output)
    };
    gate("out", &summary);
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("# Tests\n# Regression gate: FAIL\n"), "{text}");
    let printed = gate("again", dir.path());
    assert!(printed.contains("cannot append to GITHUB_STEP_SUMMARY"), "{printed}");
}

#[test]
fn imprecise_and_incomplete_runs_have_their_own_exit_codes() {
    let dir = TestDir::new();
    let base = write_run(&dir, "base", without_rise);
    let imprecise = write_run(&dir, "imprecise", |record| {
        without_rise(record);
        let segments = &mut record.data_mut::<GateExperiment>().unwrap().head.counters.segments;
        // 10 % less in the first of three segments, and 10 % more in the last.
        for each in segments {
            each.instructions = each.instructions / 10 * (9 + u64::from(each.segment));
        }
    });
    let incomplete = write_run(&dir, "incomplete", |record| {
        without_rise(record);
        record.data_mut::<GateExperiment>().unwrap().head.counters.heaps.clear();
    });
    let expected = ["session-memory", "has no counts of it"];
    let out = dir.path().join("all");
    let all = ["--base", &base, "--head", &base, "--schemes", "all", "--out", out.to_str().unwrap()];
    expect_gate(&all, 12, &["invalid"]);
    let report = std::fs::read_to_string(out.join("report.md")).unwrap();
    assert!(expected.iter().all(|word| report.contains(word)), "{report}");
    for (head, code, word) in [(imprecise, 11, "inconclusive"), (incomplete, 12, "invalid")] {
        let out = dir.path().join(word);
        expect_gate(&["--base", &base, "--head", &head, "--out", out.to_str().unwrap()], code, &[word]);
    }
}

#[test]
fn runs_on_different_hosts_are_refused() {
    let dir = TestDir::new();
    let base = write_run(&dir, "base", |record| "Another CPU".clone_into(&mut record.host.cpu_model));
    let old = write_run(&dir, "old", |record| {
        record.software.insert("valgrind".to_owned(), "3.9".to_owned());
    });
    let head = write_run(&dir, "head", |record| {
        record.software.insert("valgrind".to_owned(), "3.19".to_owned());
    });
    let out = dir.run();
    let out = out.to_str().unwrap();
    expect_gate(&["--base", &base, "--head", &head, "--out", out], 13, &["Another CPU", "cannot be compared"]);
    expect_gate(&["--base", &old, "--head", &head, "--out", out], 13, &["valgrind", "3.9", "3.19"]);
    assert!(!Path::new(out).exists(), "nothing was measured, so nothing is left");
}

#[test]
fn versions_that_do_not_exist_are_usage_errors() {
    let dir = TestDir::new();
    let empty = dir.path().to_str().unwrap();
    expect_gate(&["--base", empty], 2, &[empty, "neither servers' binaries nor a record.json"]);
    expect_gate(&["--base", "HEAD", "--head", "HEAD"], 2, &["the same commit"]);
    expect_gate(&["--base", "no-such-revision"], 2, &["no-such-revision", "revision"]);
    expect_gate(&["--base", "--upload-pack=x"], 2, &["--upload-pack"]);
    let bytes = dir.file("record.json", &reference_record());
    expect_gate(&["--base", bytes.to_str().unwrap()], 2, &["no counts", "--experiments counters"]);
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("jwt-server"), "").unwrap();
    expect_gate(&["--base", bin.to_str().unwrap()], 2, &["has no anonymous-server", "--schemes"]);
    // A hook sets these; they must not lead the gate to another repository.
    let mut hooked = command(&["gate", "--base", "HEAD", "--head", "HEAD"]);
    let hooked = hooked.env("GIT_DIR", dir.path()).env("GIT_INDEX_FILE", dir.path().join("index")).output().unwrap();
    assert!(stderr(&hooked).contains("the same commit"), "{}", stderr(&hooked));
    // Outside a checkout, a revision means nothing.
    let output = command(&["gate", "--base", "HEAD"]).current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("HEAD is neither a folder of servers' binaries nor a run"), "{}", stderr(&output));
    assert!(stderr(&output).contains("inside a checkout of authbench"), "{}", stderr(&output));
}
