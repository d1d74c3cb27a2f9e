//! What killed runs leave behind.

use experiments::Progress as _;
use lab::scratch::Scratch;
use lab::slice::Slices;

use crate::janitor::Janitor;
use crate::progress::Shown;

/// Removes it, says what it was, and has somebody stand by who does the same for this run.
pub(crate) fn tidy(progress: &mut Shown) -> Option<Janitor> {
    for left_over in Scratch::reclaim().into_iter().chain(Slices::reclaim()) {
        progress.note(&format!("removed {}, which a killed run had left", left_over.display()));
    }
    let failed =
        |error| progress.note(&format!("no janitor ({error}): if this run is killed, the next removes what it left"));
    Janitor::start().map_err(failed).ok()
}
