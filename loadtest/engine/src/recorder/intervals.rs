//! The intervals of a round's time series, at a cost that does not show in the times recorded.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

use super::add;
use crate::record::{EncodedHistogram, Interval, empty_histogram};

/// Intervals open at a time: their histograms take about 0.6 MB each.
const OPEN: usize = 8;

/// Few are open, with full histograms; older ones are packed, and opened again for a straggler.
///
/// A new histogram costs page faults and a compressed one CPU time, both more than a request does, and paid by
/// whichever comes next. So the histograms are made before the round and used again, and compression waits for
/// the end.
#[derive(Debug)]
pub(super) struct Intervals {
    open: BTreeMap<u32, OpenInterval>,
    packed: BTreeMap<u32, PackedInterval>,
    spare: Vec<OpenInterval>,
}

impl Intervals {
    pub(super) fn new() -> Self {
        let spare = (0..OPEN).map(|_| OpenInterval::new()).collect();
        Self { open: BTreeMap::new(), packed: BTreeMap::new(), spare }
    }

    /// The interval with this index, opened if need be; the oldest open one then makes room.
    pub(super) fn at(&mut self, index: u32) -> &mut OpenInterval {
        if !self.open.contains_key(&index) {
            let mut room = self.spare.pop().unwrap_or_else(|| self.pack_oldest());
            if let Some(packed) = self.packed.remove(&index) {
                packed.unpack_into(&mut room);
            }
            self.open.insert(index, room);
        }
        self.open.get_mut(&index).expect("it has just been opened")
    }

    /// Packs the oldest open interval, and gives its histograms back empty.
    fn pack_oldest(&mut self) -> OpenInterval {
        let (index, mut interval) = self.open.pop_first().expect("an interval that is not spare is open");
        self.packed.insert(index, interval.pack());
        interval.clear();
        interval
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (index, interval) in other.open {
            self.at(index).merge(&interval);
        }
        for (index, packed) in other.packed {
            packed.unpack_into(self.at(index));
        }
    }

    /// All of them in order of time, as the record keeps them.
    pub(super) fn finish(mut self, length_s: f64) -> Vec<Interval> {
        while !self.open.is_empty() {
            self.pack_oldest();
        }
        self.packed.into_iter().map(|(index, packed)| packed.finish(index, length_s)).collect()
    }
}

#[derive(Debug)]
pub(super) struct OpenInterval {
    pub(super) failed: u64,
    pub(super) response_us: Histogram<u64>,
    pub(super) service_us: Histogram<u64>,
    pub(super) lag_us: Histogram<u64>,
}

impl OpenInterval {
    fn new() -> Self {
        let mut new = Self {
            failed: 0,
            response_us: empty_histogram(),
            service_us: empty_histogram(),
            lag_us: empty_histogram(),
        };
        // The first write to each page is what costs.
        new.clear();
        new
    }

    fn clear(&mut self) {
        self.failed = 0;
        for histogram in [&mut self.response_us, &mut self.service_us, &mut self.lag_us] {
            histogram.reset();
        }
    }

    fn merge(&mut self, other: &Self) {
        self.failed += other.failed;
        add(&mut self.response_us, &other.response_us);
        add(&mut self.service_us, &other.service_us);
        add(&mut self.lag_us, &other.lag_us);
    }

    fn pack(&self) -> PackedInterval {
        PackedInterval {
            failed: self.failed,
            response_us: PackedHistogram::pack(&self.response_us),
            service_us: PackedHistogram::pack(&self.service_us),
            lag_us: PackedHistogram::pack(&self.lag_us),
        }
    }
}

#[derive(Debug)]
struct PackedInterval {
    failed: u64,
    response_us: PackedHistogram,
    service_us: PackedHistogram,
    lag_us: PackedHistogram,
}

impl PackedInterval {
    fn unpack_into(&self, interval: &mut OpenInterval) {
        interval.failed += self.failed;
        add(&mut interval.response_us, &self.response_us.unpack());
        add(&mut interval.service_us, &self.service_us.unpack());
        add(&mut interval.lag_us, &self.lag_us.unpack());
    }

    fn finish(&self, index: u32, length_s: f64) -> Interval {
        Interval {
            start_s: f64::from(index) * length_s,
            length_s,
            failed: self.failed,
            response_us: EncodedHistogram::encode(&self.response_us.unpack()),
            service_us: EncodedHistogram::encode(&self.service_us.unpack()),
            lag_us: EncodedHistogram::encode(&self.lag_us.unpack()),
        }
    }
}

/// HdrHistogram V2, not compressed: a few kilobytes.
#[derive(Debug)]
struct PackedHistogram(Vec<u8>);

impl PackedHistogram {
    fn pack(histogram: &Histogram<u64>) -> Self {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(histogram, &mut bytes).expect("writing to memory does not fail");
        Self(bytes)
    }

    fn unpack(&self) -> Histogram<u64> {
        Deserializer::new().deserialize(&mut self.0.as_slice()).expect("it was compressed here")
    }
}
