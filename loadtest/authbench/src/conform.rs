//! `authbench conform`: runs the security and behaviour checks against a server.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use conformance::checks::Check;
use conformance::{Base, CheckOutcome, Ending, Extent, Observer, Report, SigningKeys, Subject, Verdict};
use engine::input::{self, MAX_CONFIG_FILE_BYTES};
use experiments::Progress as _;
use lab::listener::process_listening_at;

use crate::conformance_gate::memory_gauge;
use crate::exit::{ExitResult, Failure};
use crate::progress::StderrProgress;
use crate::{cli, terminal};

/// Shows the progress of the checks on stderr.
struct CheckProgress {
    progress: StderrProgress,
    begun: bool,
}

impl Observer for CheckProgress {
    fn check_started(&mut self, check: &Check, _: usize, count: usize) {
        if !self.begun {
            self.progress.begin("conform", count as u64);
            self.begun = true;
        }
        self.progress.step(check.id);
    }

    fn check_finished(&mut self, _: &CheckOutcome) {}
}

pub(crate) fn run(args: &cli::Conform, stop: &Arc<AtomicBool>) -> ExitResult {
    let nodes: Vec<Base> =
        args.target.iter().map(|url| url.parse()).collect::<Result<_, _>>().map_err(Failure::usage)?;
    let first = nodes.first().cloned().ok_or_else(|| Failure::usage("give at least one --target"))?;
    if let Some(log) = &args.log {
        input::check_regular(log).map_err(|error| Failure::usage(format!("--log {}: {error}", log.display())))?;
    }
    let server_pid = args.target.first().and_then(|url| process_listening_at(url));
    let subject = Subject {
        nodes,
        memory: server_pid.map(memory_gauge),
        extent: Extent { mutations: args.mutations, ..Extent::default() },
        keys: keys(args)?,
        log: args.log.clone(),
        refresh_grace_s: args.refresh_grace_s,
        ..Subject::new(first)
    };
    check_descriptor_limit(&subject.extent).map_err(Failure::Usage)?;
    let mut checks = CheckProgress { progress: StderrProgress::new(), begun: false };
    let report = conformance::run(&subject, &mut checks, stop)?;
    if report.ending == Ending::Complete {
        checks.progress.end();
    }
    let result = if args.json { serde_json::to_string(&report)? + "\n" } else { format_report(&report) };
    terminal::result(&result)?;
    verdict(&report)
}

/// Checks whether this process may open all connections of the suite; otherwise a failure to open one would look like a
/// refusal by the server.
pub(crate) fn check_descriptor_limit(extent: &Extent) -> Result<(), String> {
    let (needed, spare) = (extent.connections(), driver::spare_descriptors());
    if needed <= spare {
        return Ok(());
    }
    Err(format!(
        "the checks need up to {needed} connections at once, but this process may open only {spare} more file descriptors; \
         raise the hard limit of open files (`ulimit -Hn` prints it) by at least {}, which needs root",
        needed - spare
    ))
}

fn verdict(report: &Report) -> ExitResult {
    let completed = format!("{} of {} checks completed", report.outcomes.len(), conformance::checks::all().count());
    let failed: Vec<&str> = report.failures().map(|outcome| outcome.id.as_str()).collect();
    let failed = failed.join(", ");
    match report.ending {
        Ending::Stopped => Err(anyhow::anyhow!("interrupted: {completed}").into()),
        Ending::Unresponsive => Err(Failure::Threshold(format!(
            "the server did not respond in time in several consecutive checks, so the run was stopped: {completed}, failed: {failed}"
        ))),
        Ending::Complete if failed.is_empty() => Ok(()),
        Ending::Complete => Err(Failure::Threshold(format!("not conformant: {failed}"))),
    }
}

fn keys(args: &cli::Conform) -> Result<Option<SigningKeys>, Failure> {
    let read = |flag: &str, file: &Path| {
        input::read(file, MAX_CONFIG_FILE_BYTES)
            .map_err(|error| Failure::usage(format!("{flag} {}: {error}", file.display())))
    };
    Ok(match (&args.secret_file, &args.key_file) {
        (Some(file), _) => Some(SigningKeys::secret(&read("--secret-file", file)?)),
        (None, Some(file)) => Some(SigningKeys::pem(&read("--key-file", file)?)),
        (None, None) => None,
    })
}

/// Formats one line per check, in the order of the table; failed checks with their requests and responses.
fn format_report(report: &Report) -> String {
    let mut text = format!("{}\n", on_one_line(report.id()));
    for outcome in &report.outcomes {
        text.push_str(&line(outcome));
    }
    let count =
        |wanted: fn(&Verdict) -> bool| report.outcomes.iter().filter(|outcome| wanted(&outcome.verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Pass));
    let failed = count(|verdict| matches!(verdict, Verdict::Fail { .. }));
    let not_applicable = report.outcomes.len() - passed - failed;
    text + &format!("{passed} passed, {failed} failed, {not_applicable} not applicable\n")
}

fn line(outcome: &CheckOutcome) -> String {
    let attempts = match outcome.attempts {
        1 => String::new(),
        more => {
            format!("         attempt {more}: earlier, the machine stalled or the store did not respond in time\n")
        }
    };
    let head = |mark: &str| format!("{mark} {:>2} {:<34} {}\n{attempts}", outcome.row, outcome.id, outcome.title);
    match &outcome.verdict {
        Verdict::Pass => head("pass"),
        Verdict::NotApplicable { reason } => format!("{}         n/a: {}\n", head("   -"), on_one_line(reason)),
        Verdict::Fail { why, exchanges } => {
            let mut text = format!("{}         {} ({})\n", head("FAIL"), on_one_line(why), outcome.source);
            for exchange in exchanges {
                text.push_str(&quoted("         > ", &exchange.sent));
                text.push_str(&quoted("         < ", &exchange.received));
                text.extend(exchange.took_ms.map(|took_ms| format!("         < after {took_ms} ms\n")));
            }
            text
        }
    }
}

/// Replaces line breaks, so that text from the target cannot look like output of authbench.
fn on_one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn quoted(mark: &str, text: &str) -> String {
    text.lines().flat_map(|line| [mark, line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_check_shows_its_attempt() {
        let outcome = |attempts| CheckOutcome {
            id: "ids-distinct".to_owned(),
            row: 1,
            title: "A title.".to_owned(),
            source: "RFC 8725".to_owned(),
            verdict: Verdict::Pass,
            attempts,
            took_ms: 7,
        };
        assert!(line(&outcome(2)).contains("attempt 2: earlier, the machine stalled"), "{}", line(&outcome(2)));
        assert!(!line(&outcome(1)).contains("attempt"), "{}", line(&outcome(1)));
    }
}
