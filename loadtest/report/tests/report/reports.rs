//! The reports of a run, as files in the run's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use contract::Scheme;
use engine::record::{
    Acceptances, CostExperiment, LoadExperiment, Omission, Record, RevocationExperiment, ScalingExperiment, Status,
    Step, Validity, WireExperiment,
};
use evidence::Evidence;
use serde_json::{Value, json};

/// The files of a run's folder as they were written, by name.
struct Folder {
    files: BTreeMap<String, String>,
}

impl Folder {
    fn of(record: &Record) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = report::write(folder.path(), record).unwrap();
        let name = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        let files = files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect();
        // The folder is removed now: a static is never dropped.
        Self { files }
    }

    /// The texts alone, without files that take time.
    fn texts(record: &Record) -> Self {
        let report::Texts { html, markdown } = report::texts(record).unwrap();
        Self {
            files: [("report.html", html), ("report.md", markdown)].map(|(name, text)| (name.to_owned(), text)).into(),
        }
    }

    fn get(&self, name: &str) -> &str {
        self.files.get(name).unwrap_or_else(|| panic!("{name} is missing in {:?}", self.files.keys()))
    }

    fn with_ending<'folder>(&'folder self, ending: &'folder str) -> impl Iterator<Item = (&'folder str, &'folder str)> {
        self.files
            .iter()
            .filter(move |(name, _)| name.ends_with(ending))
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// Returns the reports of the synthetic comparison, created once.
fn comparison() -> &'static Folder {
    static REPORTS: OnceLock<Folder> = OnceLock::new();
    REPORTS.get_or_init(|| Folder::of(&synthetic::compare()))
}

const HOSTILE_TEXT: &str = "</script><script>alert(`1`)</script>|\"'<img src=x onerror=alert(1)>\n# x\
                    \u{1b}[2J\u{1b}]0;x\u{7}\r\u{9b}31m\u{202e}gnp.exe\u{2066}\u{7f}";

/// Returns a record in which every free text is hostile.
fn hostile() -> Record {
    let hostile_text = || HOSTILE_TEXT.to_owned();
    let mut record = synthetic::compare();
    for text in [&mut record.run.id, &mut record.run.command, &mut record.run.version, &mut record.run.started_at] {
        text.push_str(HOSTILE_TEXT);
    }
    record.run.command_line.push(hostile_text());
    (record.run.profile, record.run.revision, record.run.finished_at) =
        (Some(hostile_text()), Some(hostile_text()), Some(hostile_text()));
    record.run.status = Status::Incomplete { reason: hostile_text() };
    record.experiments.extend(synthetic::slo::search().experiments);
    (record.host.kernel, record.host.cpu_model) = (hostile_text(), hostile_text());
    (record.host.clock_source, record.host.cpu_governor) = (Some(hostile_text()), Some(hostile_text()));
    (record.placement.method, record.placement.generator_class) = (hostile_text(), hostile_text());
    record.software.insert(hostile_text(), hostile_text());
    record.omitted.push(Omission { what: hostile_text(), reason: hostile_text() });
    for described in &mut record.schemes {
        (described.node, described.version) = (hostile_text(), hostile_text());
    }
    let found = record.data_mut::<RevocationExperiment>().unwrap();
    found.series[1].events[0].accepted = vec![Acceptances { node: 3, count: 1, last_us: 1 }];
    let mut record = json!(record);
    make_hostile(&mut record);
    serde_json::from_value(record).unwrap()
}

/// Makes every scheme, time, method and name in a measurement hostile, and the first of every kind
/// invalid.
///
/// The control must stay the control, or there would be no differences to show.
fn make_hostile(value: &mut Value) {
    match value {
        Value::Array(items) => {
            if let Some(validity) = items.first_mut().and_then(|first| first.get_mut("validity")) {
                *validity = json!(Validity::from_reasons(vec![HOSTILE_TEXT.to_owned()]));
            }
            items.iter_mut().for_each(make_hostile);
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(text) if ["scheme", "started_at", "method"].contains(&name.as_str()) => {
                        if text != Scheme::CONTROL.id() {
                            text.push_str(HOSTILE_TEXT);
                        }
                    }
                    Value::Object(counted)
                        if ["errors", "failed", "store_commands", "commands"].contains(&name.as_str()) =>
                    {
                        counted.insert(HOSTILE_TEXT.to_owned(), json!(1));
                    }
                    _ => make_hostile(value),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn folder_contains_all_reports() {
    let folder = comparison();
    for name in ["report.html", "report.md", "charts/cost-light.svg", "charts/cost-dark.svg", "charts/memory-light.svg"]
    {
        assert!(!folder.get(name).is_empty());
    }
    for name in ["charts/latency-4000-rps-dark.svg", "charts/throughput-light.svg", "charts/wire-bearer-light.svg"] {
        assert!(folder.get(name).starts_with("<svg"));
    }
    assert_eq!(folder.with_ending(".hgrm").count(), 45, "three a scheme and level");
    assert!(folder.files.keys().all(|name| !name.contains(|each: char| each.is_uppercase() || each == '_')));
}

#[test]
fn every_picture_of_the_markdown_exists_and_is_well_formed() {
    for record in [synthetic::compare(), synthetic::load(), synthetic::slo::search(), hostile()] {
        let folder = Folder::of(&record);
        let markdown = folder.get("report.md");
        let mut shown = 0;
        for (_, rest) in markdown.match_indices("charts/").map(|(at, _)| markdown.split_at(at)) {
            folder.get(rest.split('"').next().unwrap());
            shown += 1;
        }
        assert_eq!(shown, folder.with_ending(".svg").count());
        for (name, svg) in folder.with_ending(".svg") {
            let parsed = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
            let active =
                |node: &roxmltree::Node<'_, '_>| ["script", "img", "foreignObject"].contains(&node.tag_name().name());
            assert!(!parsed.descendants().any(|node| active(&node)), "{name}");
        }
    }
}

/// Characters that control a terminal (CWE-150) or display a different text.
#[test]
fn hostile_record_text_is_printed_without_control_characters() {
    let steers = |each: char| {
        (each.is_control() && !"\n\t".contains(each))
            || matches!(each, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let record = hostile();
    let folder = Folder::of(&record);
    for (name, text) in &folder.files {
        let text = if name == "report.html" { without_echarts(text) } else { text.clone() };
        assert!(!text.contains(steers), "{name}: {:?}", text.find(steers).map(|at| text[..at].chars().rev().take(80)));
    }
    for name in ["report.html", "report.md"] {
        let text = folder.get(name).replace('\\', "");
        assert!(
            text.contains("u001b[2J") || text.contains("u001b[2J".replace('[', "\\[").as_str()),
            "{name}: it is shown"
        );
    }
    let summary = report::summary(&record).unwrap();
    assert!(!summary.contains(steers) && summary.contains("\\u001b[2J"), "{summary}");
}

/// The run's folder may have been created by another user.
#[test]
fn report_is_not_written_through_a_symbolic_link() {
    let place = tempfile::tempdir().unwrap();
    let (folder, outside) = (place.path().join("run"), place.path().join("outside"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("precious"), "precious").unwrap();
    std::os::unix::fs::symlink(outside.join("precious"), folder.join("report.html")).unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("charts")).unwrap();
    let message = report::write(&folder, &synthetic::load()).unwrap_err().to_string();
    assert!(message.contains("charts") && message.contains("symbolic link"), "{message}");
    std::fs::remove_file(folder.join("charts")).unwrap();
    report::write(&folder, &synthetic::load()).unwrap();
    assert_eq!(std::fs::read_to_string(outside.join("precious")).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert!(folder.join("report.html").symlink_metadata().unwrap().is_file());
}

/// What is no histogram.
const INVALID_HISTOGRAM: &str = "HISTFAAAAAA=";

/// Damages the last histogram of lags; returns false if there is none.
fn damage_last_histogram(value: &mut Value) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().rev().any(damage_last_histogram),
        Value::Object(fields) => match fields.get_mut("lag_us") {
            Some(lag @ Value::String(_)) => {
                *lag = json!(INVALID_HISTOGRAM);
                true
            }
            _ => fields.values_mut().any(damage_last_histogram),
        },
        _ => false,
    }
}

/// Covers every place in which a record holds a histogram.
#[test]
fn damaged_histogram_anywhere_is_an_error() {
    let whole = synthetic::compare();
    let mut tried = Vec::new();
    for experiment in &whole.experiments {
        // One experiment at a time, because computing the evidence of all takes long.
        let mut record = Record { experiments: vec![experiment.clone()], ..whole.clone() };
        let mut changed = json!(record);
        if !damage_last_histogram(&mut changed) {
            continue;
        }
        record = serde_json::from_value(changed).unwrap();
        let name = experiment.experiment().id();
        tried.push(name);
        let folder = tempfile::tempdir().unwrap();
        let error = report::write(folder.path(), &record).unwrap_err();
        assert!(matches!(error, report::ReportError::Evidence(_)), "{name}: {error}");
    }
    assert!(tried.contains(&"cost") && tried.contains(&"latency"), "{tried:?}");
    let mut load = synthetic::load();
    // Warm-up, which is in no figure.
    let damaged = serde_json::from_value(json!(INVALID_HISTOGRAM)).unwrap();
    load.data_mut::<LoadExperiment>().unwrap().rounds[0].intervals[0].lag_us = damaged;
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(report::write(folder.path(), &load), Err(report::ReportError::Evidence(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file is written for a damaged record");
}

/// More than six hours of one-second intervals: more points than the script can take.
#[test]
fn long_load_is_drawn_with_merged_points() {
    const INTERVALS: u32 = 22_000;
    let length_s = f64::from(INTERVALS);
    let mut record = synthetic::load();
    let round = &mut record.data_mut::<LoadExperiment>().unwrap().rounds[0];
    let like = round.intervals[1].clone();
    round.intervals = (0..INTERVALS)
        .map(|second| engine::record::Interval { start_s: f64::from(second), length_s: 1.0, ..like.clone() })
        .collect();
    // Most of it is warm-up, so that little has to be merged for the tables.
    (round.plan.duration_s, round.window.start_s, round.window.end_s) = (length_s, length_s - 100.0, length_s);
    let folder = Folder::of(&record);
    let chart = folder.get("charts/timeline-light.svg");
    assert!(chart.starts_with("<svg") && chart.len() < 2_000_000, "{}", chart.len());
    for name in ["report.html", "report.md"] {
        assert!(folder.get(name).contains("Each point covers up to 22 intervals"), "{name}");
    }
}

#[test]
fn only_the_first_of_many_loads_are_drawn_over_time() {
    let mut record = synthetic::load();
    let load = record.data_mut::<LoadExperiment>().unwrap();
    load.rounds = vec![load.rounds[0].clone(); 13];
    let folder = Folder::of(&record);
    for name in ["report.html", "report.md"] {
        assert!(folder.get(name).contains("The charts over time show the first 12 of 13 rounds."), "{name}");
    }
    assert!(folder.get("report.md").contains("charts/timeline-12-light.svg"));
    assert!(!folder.get("report.md").contains("timeline-13"));
}

#[test]
fn hostile_record_text_is_escaped_in_html() {
    let folder = Folder::texts(&hostile());
    let html = without_echarts(folder.get("report.html"));
    assert!(!html.contains("<script>alert") && !html.contains("<img"));
    assert!(html.contains("&lt;script&gt;alert"), "the text itself is still shown");
    let charts = html.matches("<script type=\"application/json\">").count();
    assert_eq!(html.matches("</script>").count(), charts + 2, "two scripts and the data of the charts");
}

#[test]
fn hostile_record_text_is_escaped_in_markdown() {
    const OURS: [&str; 12] = [
        "<br>",
        "<sub>",
        "</sub>",
        "<code>",
        "</code>",
        "<picture>",
        "</picture>",
        "<source media=",
        "<img alt=\"",
        "<details>",
        "</details>",
        "</summary>",
    ];
    let folder = Folder::texts(&hostile());
    let options = pulldown_cmark::Options::ENABLE_TABLES;
    let mut headings = 0;
    for event in pulldown_cmark::Parser::new_ext(folder.get("report.md"), options) {
        match event {
            pulldown_cmark::Event::Html(html) | pulldown_cmark::Event::InlineHtml(html) => {
                let known =
                    OURS.iter().any(|ours| html.trim_start().starts_with(ours)) && !html.contains("onerror=alert(1)>");
                assert!(known, "{html}");
            }
            pulldown_cmark::Event::Start(pulldown_cmark::Tag::Heading { .. }) => headings += 1,
            pulldown_cmark::Event::Start(pulldown_cmark::Tag::Link { .. } | pulldown_cmark::Tag::Image { .. }) => {
                panic!("a link")
            }
            _ => {}
        }
    }
    let tame = pulldown_cmark::Parser::new_ext(comparison().get("report.md"), options);
    let heading = |event: &pulldown_cmark::Event<'_>| {
        matches!(event, pulldown_cmark::Event::Start(pulldown_cmark::Tag::Heading { .. }))
    };
    // The hostile page also has the heading of what is missing, and those of the search (its own,
    // method, and limitations).
    assert_eq!(headings, tame.filter(heading).count() + 4);
}

/// Returns the page without the vendored script, whose content is not checked.
fn without_echarts(html: &str) -> String {
    let library = include_str!("../../assets/echarts/echarts.min.js");
    html.replace(library, "")
}

#[test]
fn page_loads_no_external_resource() {
    let folder = comparison();
    let html = without_echarts(folder.get("report.html"));
    for loading in ["http://", "https://", " src=", "@import", "url(", "<link"] {
        assert!(!html.contains(loading), "{loading} would load something");
    }
    assert!(html.contains("default-src &#39;none&#39;") || html.contains("default-src 'none'"));
}

#[test]
fn every_warning_is_in_html_and_markdown() {
    for record in [synthetic::compare(), synthetic::load(), synthetic::slo::search()] {
        let folder = Folder::texts(&record);
        let evidence = Evidence::of(&record).unwrap();
        assert!(!evidence.warnings.is_empty());
        let caveats = evidence.warnings.into_iter().map(|warning| warning.text);
        let invalid = evidence.invalid_rounds.into_iter().map(|round| round.reasons.join("; "));
        for sentence in caveats.chain(invalid) {
            let plain = |text: &str| text.replace('\\', "");
            assert!(folder.get("report.html").contains(&sentence.replace('"', "&quot;")), "{sentence}");
            assert!(plain(folder.get("report.md")).contains(&sentence), "{sentence}");
        }
    }
}

#[test]
fn same_record_gives_the_same_bytes() {
    let record = synthetic::compare();
    let (first, second) = (Folder::of(&record).files, Folder::of(&record).files);
    assert!(
        first == second,
        "{:?}",
        first.iter().find(|(name, text)| second.get(*name) != Some(text)).map(|(name, _)| name)
    );
}

#[test]
fn incomplete_run_is_reported_as_incomplete_with_its_figures() {
    let mut record = synthetic::compare();
    record.run.status = Status::Incomplete { reason: "interrupted".to_owned() };
    record.run.finished_at = None;
    record.experiments.truncate(1);
    record.data_mut::<CostExperiment>().unwrap().rounds.truncate(7);
    let folder = Folder::texts(&record);
    for name in ["report.html", "report.md"] {
        assert!(folder.get(name).contains("This run is incomplete (interrupted)"), "{name}");
        assert!(folder.get(name).contains("2 rounds, too few for an interval"), "{name}");
    }
    assert!(report::summary(&record).unwrap().contains("The run is incomplete (interrupted)."));
}

#[test]
fn run_without_measurements_has_a_report() {
    let mut record = synthetic::compare();
    record.experiments.clear();
    assert!(Folder::texts(&record).get("report.md").contains("Revocation classes:"));
    record.schemes.clear();
    assert!(Folder::texts(&record).get("report.md").contains("Nothing was measured."));
}

#[test]
fn load_with_only_an_invalid_round_reports_no_result() {
    let mut record = synthetic::load();
    let never = Validity::from_reasons(vec!["it never settled".to_owned()]);
    record.data_mut::<LoadExperiment>().unwrap().rounds[0].validity = never;
    let folder = Folder::of(&record);
    let markdown = folder.get("report.md");
    assert!(markdown.contains("has no valid round, so no result is reported for it"));
    assert!(markdown.contains("it never settled"));
    assert!(!folder.files.contains_key("hdr/load-session-redis.hlog"));
    assert!(folder.files.contains_key("hdr/load-session-redis-excluded.hlog"));
    assert!(folder.files.contains_key("charts/timeline-light.svg"), "the chart is still drawn");
}

#[test]
fn summary_uses_the_carrier_of_the_run() {
    let mut record = synthetic::compare();
    let wire = record.data_mut::<WireExperiment>().unwrap();
    let mut others = wire.points.clone();
    for point in &mut others {
        point.carrier = contract::Carrier::Cookie;
        point.request_header_bytes += point.credential_bytes;
    }
    wire.points.splice(0..0, others);
    assert_eq!(report::summary(&record).unwrap(), report::summary(&synthetic::compare()).unwrap());
    assert!(Folder::of(&record).files.contains_key("charts/wire-cookie-light.svg"));
}

#[test]
fn scaling_without_cpu_quotas_is_reported_as_an_estimate() {
    let mut record = synthetic::compare();
    *record.data_mut::<ScalingExperiment>().unwrap() = synthetic::scaling_without_quotas();
    let folder = Folder::texts(&record);
    let markdown = folder.get("report.md");
    assert!(markdown.contains("Horizontal scaling: not measured") && markdown.contains("An estimate."));
    // 12.8 and 3.2 µs per request in server and store.
    assert!(markdown.contains("this number of nodes: 4.0"), "the store is saturated at four nodes");
    assert!(!folder.files.contains_key("charts/scaling-light.svg"), "nothing is drawn that was not measured");
    assert!(comparison().files.contains_key("charts/scaling-light.svg"));
    assert!(!comparison().get("report.md").contains("An estimate."));
}

#[test]
fn disturbed_scaling_run_has_no_headline_but_the_reason() {
    let headline = "sustained this multiple of the rate of one node";
    for name in ["report.md", "report.html"] {
        assert!(comparison().get(name).contains(headline), "{name}");
    }
    let mut record = synthetic::compare();
    record.experiments.retain(|measured| measured.experiment() == ScalingExperiment::EXPERIMENT);
    let scaling = record.data_mut::<ScalingExperiment>().unwrap();
    for point in scaling.points.iter_mut().filter(|point| point.scheme == "anonymous") {
        if let Step::Nodes { nodes: 2.. } = point.step {
            point.rps *= 0.5;
        }
    }
    let folder = Folder::texts(&record);
    for name in ["report.md", "report.html"] {
        let text = folder.get(name);
        assert!(!text.contains(headline), "{name}");
        let why = "on 8 nodes the control sustained 4.0 times the rate of one node";
        assert!(text.contains(&format!("scaling: {why}")), "{name}: among the caveats");
        assert!(text.contains(&why.replacen('o', "O", 1)), "{name}: in its section");
    }
}

#[test]
fn pool_overhead_is_explained_only_if_its_commands_were_counted() {
    let explained = |record: &Record| Folder::texts(record).get("report.md").contains("has no option to disable this");
    let mut record = synthetic::compare();
    assert!(explained(&record));
    let cost = record.data_mut::<CostExperiment>().unwrap();
    for usage in cost.rounds.iter_mut().filter_map(|round| round.usage.as_mut()) {
        usage.store_commands.iter_mut().for_each(|commands| commands.retain(|name, _| name == "get"));
    }
    assert!(!explained(&record));
}

#[test]
fn revocation_violation_is_reported_at_the_top() {
    let mut record = synthetic::compare();
    assert!(!Folder::texts(&record).get("report.md").contains("guarantee violated"));
    let found = record.data_mut::<RevocationExperiment>().unwrap();
    found.series[0].events[0].accepted = vec![Acceptances { node: 3, count: 5, last_us: 7_000 }];
    let folder = Folder::texts(&record);
    let said = "session-redis violates its revocation class immediate: after 1 of 100 events (logout) node 4 accepted a \
                request that was sent 7.0 ms after the acknowledgement; the limit is 0.0 ms";
    for name in ["report.html", "report.md"] {
        let text = folder.get(name).replace('\\', "");
        assert!(
            text.matches(&format!("Revocation guarantee violated: {said}")).count() >= 2,
            "{name}: at the top, and in its section"
        );
        assert!(text.contains("REVOCATION GUARANTEE VIOLATED"), "{name}");
    }
    assert!(report::summary(&record).unwrap().contains(said));
}

#[test]
fn unwritable_folder_is_named_in_the_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let message = report::write(&file.path().join("run"), &synthetic::load()).unwrap_err().to_string();
    assert!(message.contains(file.path().to_str().unwrap()), "{message}");
    assert!(message.starts_with("cannot write"), "{message}");
}

#[test]
fn reports_match_the_snapshots() {
    insta::assert_snapshot!("comparison", comparison().get("report.md"));
    insta::assert_snapshot!("load", Folder::texts(&synthetic::load()).get("report.md"));
    insta::assert_snapshot!("slo", Folder::texts(&synthetic::slo::search()).get("report.md"));
    let gate = synthetic::gate::record(synthetic::gate::gate());
    insta::assert_snapshot!("gate", Folder::texts(&gate).get("report.md"));
    insta::assert_snapshot!("gate_summary", report::summary(&gate).unwrap());
    insta::assert_snapshot!("summary", report::summary(&synthetic::compare()).unwrap());
}

/// Writes the reports of the synthetic records to `REPORT_FOLDER`, for visual inspection.
#[test]
#[ignore = "a person inspects its output"]
fn write_reports_for_inspection() {
    let folder = std::env::var("REPORT_FOLDER").unwrap();
    for (name, record) in [
        ("compare", synthetic::compare()),
        ("load", synthetic::load()),
        ("slo", synthetic::slo::search()),
        ("gate", synthetic::gate::record(synthetic::gate::gate())),
        ("hostile", hostile()),
    ] {
        report::write(&Path::new(&folder).join(name), &record).unwrap();
    }
}
