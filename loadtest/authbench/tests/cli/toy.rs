//! The effort of a new experiment, shown by the toy experiment, which exists only in tests.

use std::path::{Path, PathBuf};

use engine::record::ToyExperiment;

use crate::support::{SKIP_CONFORMANCE, TestDir, authbench, exclusive, stderr, stdout};

#[test]
fn toy_experiment_runs_from_command_line_to_report() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let args =
        ["compare", "--schemes", "jwt-hs256", "--experiments", "toy", SKIP_CONFORMANCE, "--out", run.to_str().unwrap()];
    let output = authbench(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("Toy experiment"), "among the columns of the summary table: {}", stdout(&output));
    let record = record_file::read(&run).unwrap();
    let points = &record.data::<ToyExperiment>().unwrap().points;
    assert_eq!(points.iter().map(|point| point.scheme.as_str()).collect::<Vec<_>>(), ["anonymous", "jwt-hs256"]);
    for name in ["report.html", "report.md"] {
        let page = std::fs::read_to_string(run.join(name)).unwrap();
        for part in
            ["The response of each server to a request", "no response had more than", "toy: it compares nothing."]
        {
            assert!(page.contains(part), "{name}: section, sentence and caveat: {part}");
        }
    }
}

/// Collects every file below a crate's `src`.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { sources(&path, into) } else { into.push(path) }
    }
}

#[test]
fn new_experiment_needs_four_files_and_five_lines() {
    let mut files = Vec::new();
    for name in ["engine", "experiments", "evidence", "report", "authbench", "driver", "lab"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"), &mut files);
    }
    let (toy_files, other_files): (Vec<PathBuf>, Vec<PathBuf>) =
        files.into_iter().partition(|path| path.ends_with("toy.rs"));
    assert_eq!(toy_files.len(), 4, "{toy_files:?}");
    let names = |line: &&str| {
        let mut words = line.split(|each: char| !each.is_ascii_alphanumeric());
        // A line that only restricts it to tests does not count.
        words.any(|word| word.to_ascii_lowercase().starts_with("toy"))
            && !line.trim_end().ends_with("feature = \"toy-experiment\")]")
    };
    let lines = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().filter(names).map(|line| format!("{}: {line}", path.display())).collect::<Vec<_>>()
    };
    let lines: Vec<String> = other_files.iter().flat_map(lines).collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
}
