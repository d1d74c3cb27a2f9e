//! Detects pauses of the machine: a deadline that passes during one proves nothing about the server.
//!
//! A host sometimes pauses, moves or starves a virtual machine for longer than a server waits for its
//! store. A thread that wakes every few milliseconds detects that from within.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The pause between two beats.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(5);
/// Minimum length of a pause: far longer than busy CPUs delay a beat.
const PAUSE_THRESHOLD: Duration = Duration::from_millis(100);

/// A heartbeat thread that runs until this value is dropped.
pub(crate) struct PauseDetector {
    heartbeat: Arc<Heartbeat>,
    thread: Option<JoinHandle<()>>,
}

struct Heartbeat {
    started: Instant,
    last_us: AtomicU64,
    longest_us: AtomicU64,
    stopped: AtomicBool,
}

impl PauseDetector {
    pub(crate) fn start() -> Self {
        let heartbeat = Arc::new(Heartbeat {
            started: Instant::now(),
            last_us: AtomicU64::new(0),
            longest_us: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&heartbeat);
        let thread = std::thread::spawn(move || {
            while !shared.stopped.load(Ordering::Relaxed) {
                shared.beat();
                std::thread::sleep(HEARTBEAT_INTERVAL);
            }
        });
        Self { heartbeat, thread: Some(thread) }
    }

    /// Returns whether there was a pause since the last call.
    pub(crate) fn take_pause(&self) -> bool {
        // It may have ended just now, before the next beat.
        self.heartbeat.beat();
        Duration::from_micros(self.heartbeat.longest_us.swap(0, Ordering::Relaxed)) >= PAUSE_THRESHOLD
    }
}

impl Heartbeat {
    fn beat(&self) {
        let now_us = self.started.elapsed().as_micros() as u64;
        let last_us = self.last_us.swap(now_us, Ordering::Relaxed);
        self.longest_us.fetch_max(now_us.saturating_sub(last_us), Ordering::Relaxed);
    }
}

impl Drop for PauseDetector {
    fn drop(&mut self) {
        self.heartbeat.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspended_process_reports_one_pause() {
        let detector = PauseDetector::start();
        detector.take_pause();
        let pause = "kill -STOP $PPID; sleep 0.3; kill -CONT $PPID";
        assert!(std::process::Command::new("sh").args(["-c", pause]).status().unwrap().success());
        assert!(detector.take_pause());
        assert!(!detector.take_pause());
    }
}
