//! The conformance gate: before a measurement, each server must pass the conformance checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::anyhow;
use conformance::{Base, Ending, Extent, MemoryGauge, Report, RunError, Subject, Verdict};
use contract::Scheme;
use engine::record::Conformance;
use experiments::{ExperimentError, RunContext};
use lab::server::Server;

use crate::conform;

/// Enough to detect a faulty server, and short enough for every comparison. `authbench conform` runs the full suite.
const EXTENT: Extent = Extent { minted: 10_000, logins: 20, unknown_kids: 200, mutations: 5000, half_open_s: 60 };

/// The interval at which to check for an interruption.
const POLL: Duration = Duration::from_millis(50);

/// A server failed the conformance checks, so it is not measured.
#[derive(Debug, thiserror::Error)]
#[error(
    "{scheme} failed the conformance checks ({}) and is not measured; run `authbench conform` against it for details, or \
     measure it anyway with --unsafe-skip-conformance, which marks the run", failed.join(", ")
)]
pub(crate) struct NotConformant {
    scheme: Scheme,
    failed: Vec<String>,
}

/// Starts a separate server of each scheme for the conformance suite, which moves its clock and changes its users.
pub(crate) fn check(context: &mut RunContext<'_>) -> anyhow::Result<()> {
    let schemes: Vec<Scheme> = context.config.schemes.iter().copied().filter(|scheme| !scheme.is_control()).collect();
    conform::check_descriptor_limit(&EXTENT).map_err(anyhow::Error::msg)?;
    context.progress.begin("conformance", schemes.len() as u64);
    for scheme in schemes {
        context.step(scheme.id())?;
        let store = context.config.store(scheme);
        let server = Server::start(&context.spec(scheme, store)?)?;
        let memory = memory_gauge(server.process().pid());
        let subject = Subject { extent: EXTENT, memory: Some(memory), ..Subject::new(Base::from(server.address())) };
        let report = run_suite(subject, &context.config.stop)?;
        let failed: Vec<String> = report.failures().map(|outcome| outcome.id.clone()).collect();
        let count = |wanted: fn(&Verdict) -> bool| {
            report.outcomes.iter().filter(|outcome| wanted(&outcome.verdict)).count() as u32
        };
        context.journal.conformance(Conformance {
            scheme: scheme.id().to_owned(),
            passed: count(|verdict| matches!(verdict, Verdict::Pass)),
            not_applicable: count(|verdict| matches!(verdict, Verdict::NotApplicable { .. })),
            failed: failed.clone(),
        })?;
        if !failed.is_empty() {
            return Err(NotConformant { scheme, failed }.into());
        }
    }
    context.progress.end();
    Ok(())
}

/// Returns a gauge for the memory of this process.
pub(crate) fn memory_gauge(pid: u32) -> MemoryGauge {
    Box::new(move || Ok(lab::observe::memory(pid)?.rss_bytes))
}

/// Runs the suite. On an interruption it does not wait for the current check, which ends by itself.
fn run_suite(subject: Subject, stop: &Arc<AtomicBool>) -> anyhow::Result<Report> {
    let (sender, receiver) = mpsc::channel();
    let suite_stop = Arc::clone(stop);
    std::thread::spawn(move || {
        // Without a receiver the run was interrupted.
        let _ = sender.send(conformance::run(&subject, &mut (), &suite_stop));
    });
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(Err(RunError::Stopped) | Ok(Report { ending: Ending::Stopped, .. })) => break,
            Ok(result) => return Ok(result?),
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("the conformance suite panicked")),
        }
    }
    Err(ExperimentError::Interrupted.into())
}
