//! What the generator's own process and machine allow: file descriptors and local ports.

use std::io;

use engine::plan::Plan;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Target;

/// File descriptors of a load in addition to its connections: its threads' event queues, its timer, the files of the
/// run.
const OTHER_DESCRIPTORS: u64 = 24;
/// What is still to be opened when a plan is checked before anything is sent.
const PENDING_DESCRIPTORS: u64 = 8;
/// The first and the last port that the kernel gives to outgoing connections.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A plan has more connections than this process may open.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// File descriptors do not suffice.
    #[error(
        "{connections} connections need {needed} file descriptors, but the hard limit of this process is {limit} \
         (`ulimit -Hn`); use at most {most} connections, or raise the limit: `ulimit -Hn {needed}` as root"
    )]
    Descriptors {
        /// Connections of the plan.
        connections: u32,
        /// File descriptors that they and the rest of this process need.
        needed: u64,
        /// How many there may be.
        limit: u64,
        /// The most connections that fit.
        most: u64,
    },
    /// Local ports do not suffice.
    #[error(
        "{connections} connections to one address need as many local ports, but this machine has {ports} \
         (net.ipv4.ip_local_port_range); use at most {ports} connections, or widen the range with sysctl"
    )]
    Ports {
        /// Connections of the plan to one node.
        connections: u32,
        /// Ports that the kernel gives out.
        ports: u32,
    },
}

/// Raises the number of file descriptors that this process, and what it starts, may have open: from the soft limit to
/// the hard one.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Checks whether this process may open the connections of this plan, before it opens anything else.
pub fn check(plan: &Plan, nodes: usize) -> Result<(), LimitError> {
    check_limits(plan, nodes, OTHER_DESCRIPTORS + PENDING_DESCRIPTORS)
}

/// Returns how many file descriptors this process may open in addition to its open ones.
#[must_use]
pub fn spare_descriptors() -> u64 {
    descriptor_limit().saturating_sub(open_descriptors())
}

fn check_limits(plan: &Plan, nodes: usize, reserved: u64) -> Result<(), LimitError> {
    let connections = plan.connections;
    let limit = descriptor_limit();
    let others = open_descriptors() + reserved;
    let needed = u64::from(connections) + others;
    if needed > limit {
        return Err(LimitError::Descriptors { connections, needed, limit, most: limit.saturating_sub(others) });
    }
    let connections = connections.div_ceil(u32::try_from(nodes.max(1)).unwrap_or(u32::MAX));
    match std::fs::read_to_string(PORT_RANGE).ok().and_then(|range| ports(&range)) {
        Some(ports) if connections > ports => Err(LimitError::Ports { connections, ports }),
        _ => Ok(()),
    }
}

impl Target {
    /// Checks whether this process may open the connections of this plan to the target's nodes.
    pub(crate) fn check_limits(&self, plan: &Plan) -> Result<(), LimitError> {
        check_limits(plan, self.nodes.len(), OTHER_DESCRIPTORS)
    }
}

fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn open_descriptors() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64)
}

/// How many ports lie in a range, of which the kernel states the first and the last.
fn ports(range: &str) -> Option<u32> {
    let mut ends = range.split_whitespace().map(|end| end.parse::<u32>().ok());
    let (first, last) = (ends.next()??, ends.next()??);
    (last + 1).checked_sub(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_range_includes_both_ends() {
        assert_eq!(ports("32768\t60999\n"), Some(28_232));
        assert_eq!(ports("40000 40000"), Some(1));
        assert_eq!(ports("40000"), None);
        assert_eq!(ports(""), None);
    }
}
