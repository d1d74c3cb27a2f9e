//! The runs that are committed under `results/evidence/`, and what README shows of them.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn reference_runs() -> Vec<PathBuf> {
    let runs = std::fs::read_dir(root().join("results/evidence")).unwrap();
    runs.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn committed_reference_reports_match_this_code() {
    let runs = reference_runs();
    assert!(!runs.is_empty(), "README shows one");
    for run in runs {
        let record = engine::record::read(&run).unwrap();
        let folder = tempfile::tempdir().unwrap();
        report::write(folder.path(), &record).unwrap();
        for name in ["report.md", "report.html"] {
            let [committed, rebuilt] =
                [&run, folder.path()].map(|folder| std::fs::read_to_string(folder.join(name)).unwrap());
            let run = run.display();
            assert!(
                committed == rebuilt,
                "{run}/{name} is stale: run `authbench report {run}`, and look at README's table"
            );
        }
    }
}

/// README's result is copied from a reference run, between two comments that name the source.
#[test]
fn readme_result_matches_the_reference_run() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, copied) = readme.split_once("<!-- copied from ").unwrap();
    let (from, copied) = copied.split_once(" -->").unwrap();
    let (copied, _) = copied.split_once("<!-- end of copy -->").unwrap();
    let report = std::fs::read_to_string(root().join(from)).unwrap();
    let lines: Vec<&str> = copied.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        assert!(report.lines().any(|other| other == line), "{from} has no such line: {line}");
    }
}
