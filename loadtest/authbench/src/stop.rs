//! Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lab::signals::keep_ignored;
use nix::sys::signal::Signal;

use crate::terminal;

/// The signals that end a run.
const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// A flag that signals set. Children need no signal: they die with this process. What was ignored at start, as SIGHUP is under
/// `nohup`, is left ignored.
pub(crate) fn on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    // Goose would set its own handler if there were none.
    keep_ignored(&ENDING, || ctrlc::set_handler(move || received(&flag)))??;
    Ok(stop)
}

fn received(stop: &AtomicBool) {
    if stop.swap(true, Ordering::SeqCst) {
        std::process::exit(1);
    }
    // A reader that has stopped reading must not keep the second signal from being seen.
    let say = || terminal::note("stopping; once more to stop at once");
    let _ = std::thread::Builder::new().name("stopping".to_owned()).spawn(say);
}
