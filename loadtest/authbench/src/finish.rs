//! The end of a run: its record, its reports, and its result.

use anyhow::{Context as _, anyhow};
use evidence::Evidence;
use experiments::{ExperimentError, Journal};

use crate::conformance_gate::NotConformant;
use crate::exit::{ExitResult, Failure};
use crate::{message, terminal};

/// Closes the record and writes the reports. A run without measurements writes none. An interrupted run exits at once:
/// its reports can be written later.
pub(crate) fn finish_run(measured: anyhow::Result<()>, journal: &mut Journal) -> ExitResult {
    let reason = measured.as_ref().err().map(message::of);
    journal.end(reason.as_deref())?;
    let folder = journal.folder().display();
    if let Err(error) = &measured
        && let Some(ExperimentError::Interrupted) = error.downcast_ref()
    {
        return Err(
            anyhow!("interrupted; to write the report of the results so far, run `authbench report {folder}`").into()
        );
    }
    if let Err(error) = &measured
        && journal.has_measured_nothing()
    {
        return Err(anyhow!("{}; nothing was measured; see {}", message::of(error), journal.logs().display()).into());
    }
    report::write(journal.folder(), journal.record())?;
    if let Err(error) = &measured
        && let Some(not_conformant) = error.downcast_ref::<NotConformant>()
    {
        return Err(Failure::Threshold(not_conformant.to_string()));
    }
    measured.with_context(|| format!("the results so far are kept in {folder}"))?;
    terminal::result(&format!("{}{folder}/report.html\n{folder}\n", report::summary(journal.record())?))?;
    check_violations(journal)
}

/// Fails if a server violated its revocation guarantee. The record and the reports are complete by then.
fn check_violations(journal: &Journal) -> ExitResult {
    let evidence = Evidence::of(journal.record())?;
    let violations: Vec<String> = evidence.violations.iter().map(ToString::to_string).collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(Failure::Threshold(violations.join("\nauthbench: ")))
}

#[cfg(test)]
mod tests {
    use engine::record::{Host, OutageExperiment, OutageFault, OutageRound, Outcome, Placement, Status, Validity};

    use std::collections::BTreeMap;

    use super::*;
    use crate::provenance;

    /// Concludes a run with this number of wrongly allowed requests.
    fn finish_run_with(wrongly_allowed: u32) -> (tempfile::TempDir, Journal, crate::exit::ExitResult) {
        let folder = tempfile::tempdir().unwrap();
        let environment = (Host::default(), Placement::default());
        let record = provenance::record("compare", folder.path(), Some("quick".to_owned()), 1, environment);
        let mut journal = Journal::begin(folder.path().to_owned(), record).unwrap();
        let round = OutageRound {
            scheme: "session-redis".to_owned(),
            fault: OutageFault::StoreCut,
            repetition: 0,
            started_at: experiments::now(),
            fault_s: 0.1,
            healed_s: 0.2,
            planned: u64::from(wrongly_allowed) + 1,
            outcomes: BTreeMap::from([(Outcome::Good, vec![1]), (Outcome::WronglyAllowed, vec![wrongly_allowed])]),
            logouts_asked: 0,
            logouts_acknowledged: 0,
            validity: Validity::from_reasons(Vec::new()),
        };
        journal.measured(|outage: &mut OutageExperiment| outage.rounds.push(round)).unwrap();
        let outcome = finish_run(Ok(()), &mut journal);
        (folder, journal, outcome)
    }

    #[test]
    fn wrongly_allowed_requests_fail_the_run_after_the_reports_are_written() {
        let (folder, journal, outcome) = finish_run_with(2);
        let Err(Failure::Threshold(message)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(message, "outage: session-redis wrongly accepted 2 requests (store cut off)");
        assert_eq!(journal.record().run.status, Status::Complete);
        assert!(folder.path().join("report.html").exists() && folder.path().join("report.md").exists());
        finish_run_with(0).2.unwrap();
    }
}
