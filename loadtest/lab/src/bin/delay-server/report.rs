//! What the server really did.

use engine::record::{Quantiles, empty_histogram};
use hdrhistogram::Histogram;
use serde::Serialize;

pub(crate) struct Report {
    delay: Histogram<u64>,
    late: Histogram<u64>,
}

/// The line that is printed at the end. Times in microseconds, rounded down.
#[derive(Serialize)]
pub(crate) struct Summary {
    /// Responses sent after the set delay; descriptors and credentials, which are sent at once, are not counted.
    requests: u64,
    /// From reading a request's last byte to sending its response's first.
    delay_us: Quantiles,
    /// The part of it by which the response was sent late.
    late_us: Quantiles,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { delay: empty_histogram(), late: empty_histogram() }
    }

    /// Takes three points of one clock, in nanoseconds.
    pub(crate) fn record(&mut self, arrival: u64, due: u64, sent: u64) {
        self.delay.saturating_record((sent - arrival) / 1000);
        self.late.saturating_record((sent - due) / 1000);
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary { requests: self.delay.len(), delay_us: Quantiles::of(&self.delay), late_us: Quantiles::of(&self.late) }
    }
}
