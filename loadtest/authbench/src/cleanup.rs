//! Cleanup after killed runs.

use experiments::Progress as _;
use lab::cpu_quota::CpuQuotas;
use lab::scratch::Scratch;

use crate::janitor::Janitor;
use crate::progress::StderrProgress;

/// Removes what killed runs left, prints it, and starts a janitor for this run.
pub(crate) fn clean_up(progress: &mut StderrProgress) -> Option<Janitor> {
    for path in Scratch::reclaim().into_iter().chain(CpuQuotas::reclaim()) {
        progress.note(&format!("removed {}, left by a killed run", path.display()));
    }
    let failed = |error| {
        let text = format!("cannot start the cleanup process ({error}): if this run is killed, the next run cleans up");
        progress.note(&text);
    };
    Janitor::start().map_err(failed).ok()
}
