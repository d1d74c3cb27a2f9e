//! What killed runs have left behind.

use experiments::Progress as _;
use lab::scratch::Scratch;
use lab::slice::Slices;

use crate::progress::Shown;

/// Removes it, and says what it was.
pub(crate) fn remove(progress: &mut Shown) {
    for left_over in Scratch::reclaim().into_iter().chain(Slices::reclaim()) {
        progress.note(&format!("removed {}, which a killed run had left", left_over.display()));
    }
}
