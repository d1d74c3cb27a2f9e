//! `authbench compare`, at its shortest.

use engine::record::{self, Experiment, Status};

use crate::support::{Place, UNCHECKED, alone, authbench, stderr, stdout};

#[test]
fn a_comparison_ends_with_the_path_of_a_whole_run() {
    let _alone = alone();
    let place = Place::new();
    let run = place.run();
    let arguments = [
        "compare",
        "--schemes",
        "all",
        "--experiments",
        "wire",
        "--seed",
        "7",
        UNCHECKED,
        "--out",
        run.to_str().unwrap(),
    ];
    let output = authbench(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let path = stdout(&output).lines().last().unwrap().to_owned();
    assert_eq!(std::fs::canonicalize(&path).unwrap(), std::fs::canonicalize(&run).unwrap());

    let record = record::read(&run).unwrap();
    assert_eq!(record.run.status, Status::Complete);
    assert_eq!(record.run.seed, 7);
    assert_eq!(record.run.command_line[1..], arguments);
    let cpus = std::thread::available_parallelism().unwrap().get() as u32;
    assert_eq!(record.host.cpus, cpus, "of the machine, and not of the generator");
    let [marked] = &record.omitted[..] else { panic!("{:?}", record.omitted) };
    assert_eq!(marked.what, "conformance", "a run whose servers nobody has checked is marked");
    assert!(std::fs::read_to_string(run.join("report.md")).unwrap().contains(UNCHECKED));
    let Experiment::Wire(wire) = &record.experiments[0] else { panic!("wire was asked for") };
    assert_eq!(wire.points.len(), contract::Scheme::all().count() * 2 * 3, "schemes, carriers, numbers of roles");
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
    let record = record::read(&run).unwrap();
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
