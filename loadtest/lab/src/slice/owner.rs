//! Whose a group is: it bears the process that made it in its name, so that the next run knows which are nobody's.

use std::fmt;
use std::fs::read_to_string;
use std::path::Path;

const PREFIX: &str = "authbench";

/// A process, told from later ones of the same number by when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pid: u32,
    /// In the kernel's ticks since it started.
    began: u64,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Self { pid, began: began(pid).unwrap_or(0) }
    }

    /// Whether this group was made by a process of ours that is no more.
    pub(super) fn is_gone(group: &Path) -> bool {
        let name = group.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Self::parse(name).is_some_and(|owner| began(owner.pid) != Some(owner.began))
    }

    /// From a name such as `authbench-123-456789-node-1`.
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.splitn(4, '-');
        let ours = parts.next() == Some(PREFIX);
        let owner = Self { pid: parts.next()?.parse().ok()?, began: parts.next()?.parse().ok()? };
        (ours && parts.next().is_some()).then_some(owner)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}-{}-{}", self.pid, self.began)
    }
}

/// When a running process began: the 22nd field of its `stat`. Fields are counted from behind the name, which may hold anything.
fn began(pid: u32) -> Option<u64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // The third: one that has ended has an entry until its parent has asked how.
    let ended = matches!(fields.next()?, "Z" | "X");
    let began = fields.nth(18)?.parse().ok()?;
    (!ended).then_some(began)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn who_has_ended_is_gone_before_his_parent_has_asked_how() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let owner = Owner { pid: child.id(), began: began(child.id()).unwrap() };
        let group = format!("/cgroup/{owner}-node-1");
        assert!(!Owner::is_gone(Path::new(&group)));
        drop(child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while !Owner::is_gone(Path::new(&group)) {
            assert!(Instant::now() < deadline, "it has ended");
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_group_is_gone_only_when_its_maker_is() {
        let own = Owner::this();
        assert!(!Owner::is_gone(Path::new(&format!("/cgroup/{own}-node-1"))));
        let earlier = Owner { began: own.began - 1, ..own };
        assert!(Owner::is_gone(Path::new(&format!("/cgroup/{earlier}-node-1"))), "another process had this number");
        // Process ids end at 2^22 on Linux.
        assert!(Owner::is_gone(Path::new("/cgroup/authbench-8388608-1-node-1")));
        for other in ["system.slice", "authbench", "authbench-8388608-1", "other-8388608-1-node", "authbench-x-1-node"]
        {
            assert!(!Owner::is_gone(Path::new(other)), "{other}");
        }
    }
}
