//! README and docs say what the program's help says, and both say what the program does.

use std::path::Path;

use experiments::slo::{MAX_ROUNDS, MAX_TOTAL_S};

use crate::support::authbench;

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

fn help(args: &[&str]) -> String {
    String::from_utf8(authbench(&[args, &["--help"]].concat()).stdout).unwrap()
}

/// Joins lines, so that a sentence is found wherever it is wrapped.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn readme_lists_the_exit_codes_of_the_help() {
    let help = help(&[]).replace('`', "");
    let (_, listed) = help.split_once("Exit codes:\n").unwrap();
    let (listed, _) = listed.split_once("\nResults").unwrap();
    // A long meaning continues on the next line.
    let listed = listed.replace("\n      ", " ");
    let of_help: Vec<_> = listed.lines().filter_map(|line| line.trim_start().split_once("  ")).collect();
    assert!(of_help.len() > 2, "{help}");
    let readme = document("README.md").replace('`', "");
    let (_, table) = readme.split_once("| exit code | meaning |\n| --- | --- |\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let of_readme: Vec<_> = rows.collect();
    assert_eq!(of_readme, of_help);
}

#[test]
fn limits_of_a_search_are_those_of_the_program() {
    let minutes = MAX_TOTAL_S / 60.0;
    for (text, sentence) in [
        (help(&["load"]), format!("at most {MAX_ROUNDS}, and at most {minutes} minutes of load")),
        (
            document("docs/methodology.md"),
            format!("A search ends after {MAX_ROUNDS} rounds or {minutes} minutes of load."),
        ),
    ] {
        assert!(unwrapped(&text).contains(&sentence), "{sentence}");
    }
}
