//! A gate with a known result.

use engine::record::{Data as _, GateExperiment, GatedVersion, Record};

use crate::counters::counters;

/// The scheme that does more work in the head.
pub const SLOWER: &str = "session-redis";

/// Returns two versions that are equal, except that each request of one scheme makes one command of the store and
/// 2,000 instructions more in the head.
pub fn gate() -> GateExperiment {
    let version = |name: &str, commit: Option<&str>| GatedVersion {
        name: name.to_owned(),
        commit: commit.map(str::to_owned),
        counters: counters(),
    };
    let mut gate = GateExperiment {
        base: version("HEAD~1 (0f3c8a1b22d4)", Some("0f3c8a1b22d4")),
        head: version("working tree (9b1d44e07c35 with changes)", None),
    };
    for segment in gate.head.counters.segments.iter_mut().filter(|each| each.scheme == SLOWER) {
        segment.instructions += 2_000 * segment.requests;
        *segment.components.entry("redis".to_owned()).or_default() += 1_900 * segment.requests;
        *segment.components.entry("chassis".to_owned()).or_default() += 100 * segment.requests;
        segment.store_commands = segment.store_commands.map(|commands| commands + segment.requests);
    }
    gate
}

/// Returns the record of such a run.
pub fn record(gate: GateExperiment) -> Record {
    let mut record = crate::load();
    record.schemes = crate::compare().schemes;
    "gate".clone_into(&mut record.run.command);
    record.experiments = vec![gate.wrap()];
    record
}
