//! A Redis Cluster of our own: three primaries, no replicas, all slots.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::Bounds;
use crate::redis::{Redis, RedisMemory, UnusableRedis};

/// As many as a cluster must have at least.
const PRIMARIES: u16 = 3;
/// Hash slots of any cluster.
const SLOTS: u16 = 16_384;
/// How long the nodes may take to agree.
const FORM_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A cluster that serves. Dropping it stops its nodes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts the nodes on free ports of loopback, all within `bounds`, and waits until they
    /// agree. Each has a folder of its own in `folder`, and all append their output to `log`.
    pub fn start(folder: &Path, log: &Path, bounds: &Bounds) -> Result<Self, UnusableRedis> {
        let start = |number: u16| {
            let node_folder = folder.join(format!("node-{number}"));
            std::fs::create_dir_all(&node_folder)
                .map_err(|source| UnusableRedis::Folder { path: node_folder.clone(), source })?;
            Redis::start_node(&node_folder, log, bounds)
        };
        let nodes = (0..PRIMARIES).map(start).collect::<Result<Vec<_>, _>>()?;
        let cluster = Self { nodes };
        cluster.form()?;
        Ok(cluster)
    }

    fn form(&self) -> Result<(), UnusableRedis> {
        let seed = &self.nodes[0];
        let (port, bus) = (seed.port()?, seed.bus_port()?);
        for (place, node) in (0..PRIMARIES).zip(&self.nodes) {
            let (first, last) = slots(place);
            node.command::<()>("CLUSTER", &["SET-CONFIG-EPOCH", &(place + 1).to_string()])?;
            node.command::<()>("CLUSTER", &["ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
            node.command::<()>("CLUSTER", &["MEET", "127.0.0.1", &port, &bus])?;
        }
        let deadline = Instant::now() + FORM_TIMEOUT;
        self.nodes.iter().try_for_each(|node| await_agreement(node, deadline))
    }

    /// Returns the URL of one of the nodes, which know each other.
    #[must_use]
    pub fn url(&self) -> &str {
        self.nodes[0].url()
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The memory of all nodes together.
    pub fn memory(&self) -> Result<RedisMemory, UnusableRedis> {
        let mut sum = RedisMemory { used_bytes: 0, rss_bytes: 0 };
        for node in &self.nodes {
            let memory = node.memory()?;
            sum.used_bytes += memory.used_bytes;
            sum.rss_bytes += memory.rss_bytes;
        }
        Ok(sum)
    }

    /// How often each command was called on all nodes together.
    pub fn command_counts(&self) -> Result<BTreeMap<String, u64>, UnusableRedis> {
        let mut sum = BTreeMap::new();
        for node in &self.nodes {
            for (name, count) in node.command_counts()? {
                *sum.entry(name).or_default() += count;
            }
        }
        Ok(sum)
    }

    /// Removes every key.
    pub fn flush(&self) -> Result<(), UnusableRedis> {
        self.nodes.iter().try_for_each(Redis::flush)
    }
}

/// The first and the last slot of the primary at this place.
fn slots(place: u16) -> (u16, u16) {
    let share = SLOTS / PRIMARIES;
    let end = if place + 1 == PRIMARIES { SLOTS } else { (place + 1) * share };
    (place * share, end - 1)
}

fn await_agreement(node: &Redis, deadline: Instant) -> Result<(), UnusableRedis> {
    let known = format!("cluster_known_nodes:{PRIMARIES}\r\n");
    loop {
        let info: String = node.command("CLUSTER", "INFO")?;
        if info.contains("cluster_state:ok") && info.contains(&known) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(UnusableRedis::NoAgreement { seconds: FORM_TIMEOUT.as_secs() });
        }
        sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_one_primary() {
        let ranges: Vec<_> = (0..PRIMARIES).map(slots).collect();
        assert_eq!(ranges, [(0, 5460), (5461, 10_921), (10_922, 16_383)]);
    }
}
