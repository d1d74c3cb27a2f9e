//! `authbench doctor`: what this machine can and cannot measure, why, and what to do about it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use contract::Scheme;
use experiments::doctor::{Capabilities, Finding, Measurability, State, examine};
use textwrap::{Options, WordSplitter, fill};

use crate::doctor_json::DoctorResult;
use crate::exit::ExitResult;
use crate::progress::StderrProgress;
use crate::{cleanup, cli, terminal};

/// The maximum line length.
const WIDTH: usize = 110;

pub(crate) fn run(args: &cli::Doctor, stop: &Arc<AtomicBool>) -> ExitResult {
    let mut progress = StderrProgress::new();
    let _janitor = cleanup::clean_up(&mut progress);
    let findings = examine(stop, &mut progress)?;
    let capabilities = Capabilities::of(&findings);
    let result = if args.json {
        serde_json::to_string(&DoctorResult::of(&findings, &capabilities))? + "\n"
    } else {
        format_findings(&findings, &capabilities)
    };
    Ok(terminal::result(&result)?)
}

/// Formats the findings in their order, followed by a summary.
fn format_findings(findings: &[Finding], capabilities: &Capabilities) -> String {
    let names = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let findings: String = findings.iter().map(|finding| paragraph(finding, names)).collect();
    findings + "\n" + &summary(capabilities)
}

/// Formats what was found; unless it is good, also what it means and what to do.
fn paragraph(Finding { name, assessment }: &Finding, names: usize) -> String {
    let mut text = wrap(&format!("{:<7}  {name:<names$}  ", assessment.state), &assessment.observation);
    if assessment.state != State::Good {
        let label = |label: &str| format!("{:<7}  {:>names$}  ", "", label);
        text.push_str(&wrap(&label("effect"), &assessment.effect));
        text.extend(assessment.advice.iter().map(|advice| wrap(&label("advice"), advice)));
    }
    text
}

fn summary(capabilities: &Capabilities) -> String {
    let mut text = String::new();
    for (head, lines) in [
        ("can be measured", measurable(capabilities)),
        ("less accurate", less_accurate(capabilities)),
        ("not possible", not_possible(capabilities)),
    ] {
        for (place, line) in lines.iter().enumerate() {
            text.push_str(&wrap(&format!("{:<17}", if place == 0 { head } else { "" }), line));
        }
    }
    text
}

/// Lists the experiments that can be measured, accurately or not, and the number of schemes.
fn measurable(capabilities: &Capabilities) -> Vec<String> {
    let measurable = capabilities
        .experiments
        .iter()
        .filter(|(_, measurability)| !matches!(measurability, Measurability::Impossible(_)));
    let measurable: Vec<String> = measurable.map(|(experiment, _)| experiment.to_string()).collect();
    let measurable = if measurable.is_empty() { "nothing".to_owned() } else { measurable.join(", ") };
    vec![format!("{measurable}; {} of {} schemes", capabilities.schemes.len(), Scheme::all().count())]
}

fn less_accurate(capabilities: &Capabilities) -> Vec<String> {
    group_by_reasons(capabilities, |measurability| match measurability {
        Measurability::LessAccurate(because) => Some(because),
        Measurability::Full | Measurability::Impossible(_) => None,
    })
}

fn not_possible(capabilities: &Capabilities) -> Vec<String> {
    let none = group_by_reasons(capabilities, |measurability| match measurability {
        Measurability::Impossible(because) => Some(because),
        Measurability::Full | Measurability::LessAccurate(_) => None,
    });
    let schemes: Vec<&str> = capabilities.excluded_schemes.iter().map(|scheme| scheme.id()).collect();
    none.into_iter().chain((!schemes.is_empty()).then(|| schemes.join(", "))).collect()
}

/// Lists the experiments with reasons, one line for those with the same reasons.
fn group_by_reasons(
    capabilities: &Capabilities,
    reasons: impl Fn(&Measurability) -> Option<&Vec<&'static str>>,
) -> Vec<String> {
    let mut groups: Vec<(&Vec<&'static str>, Vec<String>)> = Vec::new();
    for (experiment, measurability) in &capabilities.experiments {
        let Some(reasons) = reasons(measurability) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == reasons) {
            Some((_, experiments)) => experiments.push(experiment.to_string()),
            None => groups.push((reasons, vec![experiment.to_string()])),
        }
    }
    let line = |(reasons, experiments): &(&Vec<&str>, Vec<String>)| {
        format!("{} (see {})", experiments.join(", "), reasons.join(", "))
    };
    groups.iter().map(line).collect()
}

/// Wraps a text after a head, with aligned lines of at most [`WIDTH`] characters.
fn wrap(head: &str, text: &str) -> String {
    let indent = " ".repeat(head.chars().count());
    let options = Options::new(WIDTH).initial_indent(head).subsequent_indent(&indent);
    fill(text, options.word_splitter(WordSplitter::NoHyphenation).break_words(false)) + "\n"
}

#[cfg(test)]
mod tests {
    use engine::record::{CostExperiment, LatencyExperiment, RejectExperiment, ScalingExperiment, WireExperiment};

    use super::*;

    #[test]
    fn experiments_with_the_same_reasons_share_a_line() {
        let measurability =
            |experiment, because: &[&'static str]| (experiment, Measurability::LessAccurate(because.to_owned()));
        let experiments = vec![
            measurability(CostExperiment::EXPERIMENT, &["processors"]),
            measurability(LatencyExperiment::EXPERIMENT, &["processors", "lag"]),
            measurability(RejectExperiment::EXPERIMENT, &["processors"]),
            (WireExperiment::EXPERIMENT, Measurability::Full),
            (ScalingExperiment::EXPERIMENT, Measurability::Impossible(vec!["cpu-quotas"])),
        ];
        let capabilities = Capabilities { experiments, schemes: vec![], excluded_schemes: vec![] };
        assert_eq!(less_accurate(&capabilities), ["cost, reject (see processors)", "latency (see processors, lag)"]);
        assert_eq!(not_possible(&capabilities), ["scaling (see cpu-quotas)"]);
    }

    #[test]
    fn long_text_is_wrapped_without_losing_words() {
        let text = "some words to be wrapped, of which there are many more than fit ".repeat(5);
        let wrapped = wrap("head     ", &text);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(lines[1..].iter().all(|line| line.starts_with("         some") || line.starts_with("         ")));
        let words: Vec<&str> = wrapped.split_whitespace().skip(1).collect();
        assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
    }
}
