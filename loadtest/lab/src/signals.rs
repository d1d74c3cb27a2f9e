//! How this process and its children handle signals.
//!
//! The parent of a program decides which signals it ignores: `nohup` ignores SIGHUP, a shell without job control
//! ignores SIGINT for background programs. A program that sets a handler anyway undoes that.

use std::io;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal};
use procfs::process::Process;

/// Whether the signal is ignored now; false where `/proc` cannot be read.
#[must_use]
pub fn is_ignored(signal: Signal) -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign >> (signal as u32 - 1) & 1 == 1)
}

/// Runs what sets handlers for these signals, and has those that were ignored before ignored again. None of the ignored
/// ones is delivered meanwhile.
pub fn keep_ignored<T>(signals: &[Signal], set_handlers: impl FnOnce() -> T) -> io::Result<T> {
    let ignored: Vec<Signal> = signals.iter().copied().filter(|signal| is_ignored(*signal)).collect();
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&ignored.iter().copied().collect()), Some(&mut before))?;
    let set = set_handlers();
    for each in ignored {
        ignore(each)?;
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    Ok(set)
}

/// Also discards the signal where it is pending.
#[expect(unsafe_code, reason = "a signal's disposition belongs to the whole process")]
fn ignore(which: Signal) -> io::Result<()> {
    // SAFETY: ignoring a signal installs no handler, so there is none that could be unsound.
    unsafe { signal(which, SigHandler::SigIgn) }?;
    Ok(())
}

/// Has these signals do what they do by default. Makes system calls only, so that it may stand between fork and exec.
#[expect(unsafe_code, reason = "a signal's disposition belongs to the whole process")]
pub(crate) fn restore_defaults(signals: &[Signal]) -> io::Result<()> {
    for each in signals {
        // SAFETY: the default disposition installs no handler, so there is none that could be unsound.
        unsafe { signal(*each, SigHandler::SigDfl) }?;
    }
    Ok(())
}
