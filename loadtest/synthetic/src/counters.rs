//! Counted work with a known truth.

use std::collections::BTreeMap;

use engine::record::{CountedHeap, CountedSegment, CountersExperiment, Validity};

/// The counts per request of a scheme.
struct Truth {
    scheme: &'static str,
    instructions: u64,
    allocations: u64,
    bytes: i64,
    system_calls: u64,
    commands: Option<u64>,
}

const TRUTHS: [Truth; 5] = [
    truth("anonymous", 15_000, (17, 11_052), 3, None),
    truth("session-redis", 39_000, (25, 12_180), 8, Some(1)),
    truth("session-redis-pool", 61_500, (41, 15_304), 14, Some(3)),
    truth("jwt-hs256", 54_000, (21, 12_902), 3, None),
    truth("jwt-eddsa", 412_000, (22, 13_220), 3, None),
];

const fn truth(
    scheme: &'static str,
    instructions: u64,
    (allocations, bytes): (u64, i64),
    system_calls: u64,
    commands: Option<u64>,
) -> Truth {
    Truth { scheme, instructions, allocations, bytes, system_calls, commands }
}

const REQUESTS: u64 = 200;

/// Half of the instructions are those of the framework.
fn components(instructions: u64) -> BTreeMap<String, u64> {
    [("hyper", instructions / 2), ("redis", instructions / 4), ("chassis", instructions / 4)]
        .map(|(name, instructions)| (name.to_owned(), instructions))
        .into()
}

/// Returns two processes of three segments per scheme. The middle segment of each has the true counts, the others differ
/// by one instruction in a thousand.
pub(crate) fn counters() -> CountersExperiment {
    let mut counters = CountersExperiment::default();
    for Truth { scheme, instructions, allocations, bytes, system_calls, commands } in TRUTHS {
        for process in 0..2 {
            for segment in 0..3 {
                counters.segments.push(CountedSegment {
                    scheme: scheme.to_owned(),
                    process,
                    segment,
                    requests: REQUESTS,
                    instructions: instructions * (999 + u64::from(segment)) * REQUESTS / 1000,
                    allocator_instructions: (2_400 + 300 * u64::from(process)) * REQUESTS,
                    allocations: allocations * REQUESTS,
                    system_calls: system_calls * REQUESTS,
                    store_commands: commands.map(|commands| commands * REQUESTS),
                    request_bytes: 190 * REQUESTS,
                    response_bytes: 230 * REQUESTS,
                    components: components(instructions * REQUESTS),
                    validity: Validity::from_reasons(Vec::new()),
                });
            }
        }
        counters.heaps.push(CountedHeap {
            scheme: scheme.to_owned(),
            requests: REQUESTS,
            bytes: bytes * REQUESTS.cast_signed(),
            blocks: (allocations * REQUESTS).cast_signed(),
            validity: Validity::from_reasons(Vec::new()),
        });
    }
    counters
}
