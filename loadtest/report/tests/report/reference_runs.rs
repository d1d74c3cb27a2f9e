//! The runs that are committed under `results/evidence/`, and what README shows of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

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
        let record = record_file::read(&run).unwrap();
        let folder = tempfile::tempdir().unwrap();
        report::write(folder.path(), &record).unwrap();
        let [committed, rebuilt] = [&run, folder.path()].map(markdown_and_charts);
        let changed: Vec<_> = rebuilt.iter().filter(|(name, text)| committed.get(*name) != Some(text)).collect();
        let names: Vec<_> = changed.iter().map(|(name, _)| name).collect();
        let run = run.display();
        assert!(
            names.is_empty(),
            "{run}: {names:?} are stale: run `authbench report {run}`, and look at README's table"
        );
        assert_eq!(committed.len(), rebuilt.len(), "{run} has charts that its report does not show");
    }
}

/// Returns what is committed of a report, by name. The page is not: `authbench report` makes it.
fn markdown_and_charts(run: &Path) -> BTreeMap<String, String> {
    let charts = std::fs::read_dir(run.join("charts")).unwrap().map(|entry| entry.unwrap().path());
    let files = charts.chain([run.join("report.md")]);
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|file| (name(&file), std::fs::read_to_string(&file).unwrap())).collect()
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
    let run = record_file::read(root().join(from).parent().unwrap()).unwrap().run;
    let [started, finished] = [run.started_at, run.finished_at.unwrap()].map(|at| at.parse::<Timestamp>().unwrap());
    let duration = format!("in {} minutes", (finished.duration_since(started).as_secs_f64() / 60.0).round());
    assert!(readme.contains(&duration), "README does not say that the reference run was made {duration}");
}
