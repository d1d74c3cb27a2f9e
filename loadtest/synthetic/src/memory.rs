//! Bytes that grow with the live credentials.

use contract::StoreKind;
use engine::record::{MemoryExperiment, MemoryPoint, Validity};

use super::{Noise, TRUTHS, Truth};

pub(crate) fn memory(noise: &mut Noise) -> MemoryExperiment {
    let mut points = Vec::new();
    for series in 0..3 {
        for truth in &TRUTHS {
            for population in [1_000, 10_000, 20_000, 50_000, 100_000] {
                points.push(memory_point(truth, series, population, truth.store_bytes, noise));
            }
        }
    }
    MemoryExperiment { points }
}

/// The memory with this many live credentials, of which each takes `store_each` bytes in the store.
pub(crate) fn memory_point(
    truth: &Truth,
    series: u32,
    population: u64,
    store_each: f64,
    noise: &mut Noise,
) -> MemoryPoint {
    let mut bytes = |fixed: f64, each: f64| (fixed + each * population as f64 + noise.normal() * 20_000.0) as u64;
    let server = bytes(24e6, truth.server_bytes);
    let store = (truth.store == StoreKind::Redis).then(|| bytes(1.1e6, store_each));
    MemoryPoint {
        scheme: truth.id.to_owned(),
        series,
        population,
        server_pss_bytes: server,
        server_rss_bytes: server + 2_000_000,
        store_used_bytes: store,
        store_rss_bytes: store.map(|used| used + 8_000_000),
        validity: Validity::from_reasons(Vec::new()),
    }
}
