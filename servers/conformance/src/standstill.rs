//! Detects pauses of the machine: a deadline that passes during one proves nothing about the server.
//!
//! A host sometimes pauses, moves or starves a virtual machine for longer than a server waits for its
//! store. A thread that wakes every few milliseconds detects that from within.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The pause between two beats.
const BEAT: Duration = Duration::from_millis(5);
/// Minimum length of a pause: far longer than busy CPUs delay a beat.
const STANDSTILL: Duration = Duration::from_millis(100);

/// A heartbeat thread that runs until this value is dropped.
pub(crate) struct Watch {
    pulse: Arc<Pulse>,
    beating: Option<JoinHandle<()>>,
}

struct Pulse {
    born: Instant,
    last_us: AtomicU64,
    longest_us: AtomicU64,
    ended: AtomicBool,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let pulse = Arc::new(Pulse {
            born: Instant::now(),
            last_us: AtomicU64::new(0),
            longest_us: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let heart = Arc::clone(&pulse);
        let beating = std::thread::spawn(move || {
            while !heart.ended.load(Ordering::Relaxed) {
                heart.beat();
                std::thread::sleep(BEAT);
            }
        });
        Self { pulse, beating: Some(beating) }
    }

    /// Returns whether there was a pause since the last call.
    pub(crate) fn stood_still(&self) -> bool {
        // It may have ended just now, before the next beat.
        self.pulse.beat();
        Duration::from_micros(self.pulse.longest_us.swap(0, Ordering::Relaxed)) >= STANDSTILL
    }
}

impl Pulse {
    fn beat(&self) {
        let now_us = self.born.elapsed().as_micros() as u64;
        let last_us = self.last_us.swap(now_us, Ordering::Relaxed);
        self.longest_us.fetch_max(now_us.saturating_sub(last_us), Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.pulse.ended.store(true, Ordering::Relaxed);
        if let Some(beating) = self.beating.take() {
            let _ = beating.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspended_process_reports_one_pause() {
        let watch = Watch::start();
        watch.stood_still();
        let pause = "kill -STOP $PPID; sleep 0.3; kill -CONT $PPID";
        assert!(std::process::Command::new("sh").args(["-c", pause]).status().unwrap().success());
        assert!(watch.stood_still());
        assert!(!watch.stood_still());
    }
}
