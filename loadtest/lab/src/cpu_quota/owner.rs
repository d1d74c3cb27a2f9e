//! The owner of a group: the name contains the process that created it, so that the next run recognises stale groups.

use std::fmt;
use std::path::Path;

use crate::process_id::ProcessId;

const PREFIX: &str = "authbench";

/// The process that made a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(ProcessId);

impl Owner {
    /// This process.
    pub(super) fn this() -> Self {
        Self(ProcessId::this())
    }

    /// Returns whether this group was created by a process of authbench that has exited.
    pub(super) fn is_gone(group: &Path) -> bool {
        let name = group.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Self::parse(name).is_some_and(|owner| owner.0.has_ended())
    }

    /// From a name such as `authbench-123-456789-node-1`.
    fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?.strip_prefix('-')?;
        let (end, _) = rest.match_indices('-').nth(1)?;
        rest[..end].parse().ok().map(Self)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}-{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::process_id::began;

    #[test]
    fn zombie_process_counts_as_exited() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let owner = Owner(ProcessId { pid: child.id(), began: began(child.id()).unwrap() });
        let group = format!("/cgroup/{owner}-node-1");
        assert!(!Owner::is_gone(Path::new(&group)));
        drop(child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while !Owner::is_gone(Path::new(&group)) {
            assert!(Instant::now() < deadline, "it has exited");
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn group_is_stale_only_after_its_owner_exits() {
        let owner = Owner::this();
        assert!(!Owner::is_gone(Path::new(&format!("/cgroup/{owner}-node-1"))));
        let earlier = Owner(ProcessId { began: owner.0.began - 1, ..owner.0 });
        assert!(Owner::is_gone(Path::new(&format!("/cgroup/{earlier}-node-1"))), "another process had this number");
        // Process ids end at 2^22 on Linux.
        assert!(Owner::is_gone(Path::new("/cgroup/authbench-8388608-1-node-1")));
        for other in ["system.slice", "authbench", "authbench-8388608-1", "other-8388608-1-node", "authbench-x-1-node"]
        {
            assert!(!Owner::is_gone(Path::new(other)), "{other}");
        }
    }
}
