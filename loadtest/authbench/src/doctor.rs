//! `authbench doctor`: what this machine can and cannot measure, why, and what to do about it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use contract::Scheme;
use experiments::doctor::{Finding, Outlook, Reach, State, examine};

use crate::doctor_json::Examined;
use crate::exit::ExitResult;
use crate::progress::Shown;
use crate::{cli, left_over, terminal};

/// The maximum line length.
const WIDTH: usize = 110;

pub(crate) fn run(asked: &cli::Doctor, stop: &Arc<AtomicBool>) -> ExitResult {
    let mut progress = Shown::on_stderr();
    let _janitor = left_over::tidy(&mut progress);
    let findings = examine(stop, &mut progress)?;
    let outlook = Outlook::of(&findings);
    let result = if asked.json {
        serde_json::to_string(&Examined::of(&findings, &outlook))? + "\n"
    } else {
        told(&findings, &outlook)
    };
    Ok(terminal::result(&result)?)
}

/// Formats the findings in their order, followed by a summary.
fn told(findings: &[Finding], outlook: &Outlook) -> String {
    let names = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let findings: String = findings.iter().map(|finding| paragraph(finding, names)).collect();
    findings + "\n" + &summary(outlook)
}

/// Formats what was found; unless it is good, also what it means and what to do.
fn paragraph(Finding { name, judgement }: &Finding, names: usize) -> String {
    let mut text = wrapped(&format!("{:<7}  {name:<names$}  ", judgement.state), &judgement.found);
    if judgement.state != State::Good {
        let label = |label: &str| format!("{:<7}  {:>names$}  ", "", label);
        text.push_str(&wrapped(&label("effect"), &judgement.means));
        text.extend(judgement.advice.iter().map(|advice| wrapped(&label("advice"), advice)));
    }
    text
}

fn summary(outlook: &Outlook) -> String {
    let mut text = String::new();
    for (head, lines) in
        [("can be measured", whole(outlook)), ("less accurate", less(outlook)), ("not possible", nothing(outlook))]
    {
        for (place, line) in lines.iter().enumerate() {
            text.push_str(&wrapped(&format!("{:<17}", if place == 0 { head } else { "" }), line));
        }
    }
    text
}

/// Lists the experiments that can be measured, accurately or not, and the number of schemes.
fn whole(outlook: &Outlook) -> Vec<String> {
    let made = outlook.experiments.iter().filter(|(_, reach)| !matches!(reach, Reach::Nothing(_)));
    let made: Vec<String> = made.map(|(experiment, _)| experiment.to_string()).collect();
    let made = if made.is_empty() { "nothing".to_owned() } else { made.join(", ") };
    vec![format!("{made}; {} of {} schemes", outlook.schemes.len(), Scheme::all().count())]
}

fn less(outlook: &Outlook) -> Vec<String> {
    because(outlook, |reach| match reach {
        Reach::LessExact(because) => Some(because),
        Reach::Whole | Reach::Nothing(_) => None,
    })
}

fn nothing(outlook: &Outlook) -> Vec<String> {
    let none = because(outlook, |reach| match reach {
        Reach::Nothing(because) => Some(because),
        Reach::Whole | Reach::LessExact(_) => None,
    });
    let schemes: Vec<&str> = outlook.left_out.iter().map(|scheme| scheme.id()).collect();
    none.into_iter().chain((!schemes.is_empty()).then(|| schemes.join(", "))).collect()
}

/// Lists the experiments with reasons, one line for those with the same reasons.
fn because(outlook: &Outlook, reasons: impl Fn(&Reach) -> Option<&Vec<&'static str>>) -> Vec<String> {
    let mut groups: Vec<(&Vec<&'static str>, Vec<String>)> = Vec::new();
    for (experiment, reach) in &outlook.experiments {
        let Some(reasons) = reasons(reach) else { continue };
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
fn wrapped(head: &str, text: &str) -> String {
    let indent = head.chars().count();
    let (mut lines, mut line) = (String::new(), head.to_owned());
    for word in text.split_whitespace() {
        let empty = line.chars().count() <= indent;
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = " ".repeat(indent);
        } else if !empty {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use engine::record::{CostExperiment, LatencyExperiment, RejectExperiment, ScalingExperiment, WireExperiment};

    use super::*;

    #[test]
    fn experiments_with_the_same_reasons_share_a_line() {
        let reach = |experiment, because: &[&'static str]| (experiment, Reach::LessExact(because.to_owned()));
        let experiments = vec![
            reach(CostExperiment::EXPERIMENT, &["processors"]),
            reach(LatencyExperiment::EXPERIMENT, &["processors", "lag"]),
            reach(RejectExperiment::EXPERIMENT, &["processors"]),
            (WireExperiment::EXPERIMENT, Reach::Whole),
            (ScalingExperiment::EXPERIMENT, Reach::Nothing(vec!["slices"])),
        ];
        let outlook = Outlook { experiments, schemes: vec![], left_out: vec![] };
        assert_eq!(less(&outlook), ["cost, reject (see processors)", "latency (see processors, lag)"]);
        assert_eq!(nothing(&outlook), ["scaling (see slices)"]);
    }

    #[test]
    fn long_text_is_wrapped_without_losing_words() {
        let text = "some words to be wrapped, of which there are many more than fit ".repeat(5);
        let wrapped = wrapped("head     ", &text);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(lines[1..].iter().all(|line| line.starts_with("         some") || line.starts_with("         ")));
        let words: Vec<&str> = wrapped.split_whitespace().skip(1).collect();
        assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
    }
}
