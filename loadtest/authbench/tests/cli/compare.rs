//! `authbench compare`, at its shortest.

use engine::record::{self, Experiment, Status};

use crate::support::{Place, alone, authbench, stderr, stdout};

#[test]
fn a_comparison_ends_with_the_path_of_a_whole_run() {
    let _alone = alone();
    let place = Place::new();
    let run = place.run();
    let arguments =
        ["compare", "--schemes", "all", "--experiments", "wire", "--seed", "7", "--out", run.to_str().unwrap()];
    let output = authbench(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let path = stdout(&output).lines().last().unwrap().to_owned();
    assert_eq!(std::fs::canonicalize(&path).unwrap(), std::fs::canonicalize(&run).unwrap());

    let record = record::read(&run).unwrap();
    assert_eq!(record.run.status, Status::Complete);
    assert_eq!(record.run.seed, 7);
    assert_eq!(record.run.command_line[1..], arguments);
    assert_eq!(record.omitted, []);
    let Experiment::Wire(wire) = &record.experiments[0] else { panic!("wire was asked for") };
    assert_eq!(wire.points.len(), 8 * 2 * 3, "schemes, carriers, numbers of roles");
    for point in &wire.points {
        assert_eq!(point.credential_bytes == 0, point.scheme == "anonymous", "{point:?}");
    }
    for file in ["report.html", "report.md", "charts", "logs"] {
        assert!(run.join(file).exists(), "{file}");
    }
}

#[test]
fn a_report_is_rebuilt_to_the_same_bytes() {
    let _alone = alone();
    let place = Place::new();
    let run = place.run();
    let output =
        authbench(&["compare", "--schemes", "jwt-eddsa", "--experiments", "wire", "--out", run.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let read = |name: &str| std::fs::read(run.join(name)).unwrap();
    let before = (read("report.html"), read("report.md"));
    std::fs::remove_file(run.join("report.html")).unwrap();
    let rebuilt = authbench(&["report", run.join("record.json").to_str().unwrap()]);
    assert!(rebuilt.status.success(), "{}", stderr(&rebuilt));
    assert!(before == (read("report.html"), read("report.md")));
}
