//! Ctrl-C, SIGTERM and SIGHUP: the first signal stops the run cleanly, the second exits at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lab::signals::keep_ignored;
use nix::sys::signal::Signal;

use crate::terminal;

/// The signals that end a run.
const TERMINATING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Returns a flag that signals set. Child processes need no signal: they exit with this process. Signals that were
/// ignored at start, such as SIGHUP under `nohup`, stay ignored.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    // Otherwise Goose would set its own handler.
    keep_ignored(&TERMINATING, || ctrlc::set_handler(move || handle_signal(&flag)))??;
    Ok(stop)
}

fn handle_signal(stop: &AtomicBool) {
    if stop.swap(true, Ordering::SeqCst) {
        std::process::exit(1);
    }
    // A blocked stderr must not delay the handling of the second signal.
    let notify = || terminal::note("stopping; send the signal again to exit at once");
    let _ = std::thread::Builder::new().name("stopping".to_owned()).spawn(notify);
}
