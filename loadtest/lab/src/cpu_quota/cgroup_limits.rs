//! What the control groups that this process was started in leave to it.

use std::fs::read_to_string;
use std::path::Path;

use super::cgroup_backend::{Hierarchy, Resource, Version, hierarchies};

/// Returns the CPU limits of this process, as set by a container or a systemd unit. None where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CgroupLimits {
    /// Of processor time, in processors.
    pub processors: Option<f64>,
    /// Of memory, in bytes.
    pub memory_bytes: Option<u64>,
}

impl CgroupLimits {
    /// The narrowest bounds of our own group and those above it.
    #[must_use]
    pub fn detect() -> Self {
        let processors = hierarchies(Resource::Processor).into_iter().filter_map(|group| processors(&group));
        let memory = hierarchies(Resource::Memory).into_iter().filter_map(|group| memory_bytes(&group));
        Self { processors: processors.min_by(f64::total_cmp), memory_bytes: memory.min() }
    }
}

fn processors(Hierarchy { version, folder }: &Hierarchy) -> Option<f64> {
    match version {
        Version::V2 => {
            let text = read_to_string(folder.join("cpu.max")).ok()?;
            let (quota_us, period_us) = text.trim().split_once(' ')?;
            share(quota_us, period_us)
        }
        Version::V1 => share(&word(folder, "cpu.cfs_quota_us")?, &word(folder, "cpu.cfs_period_us")?),
    }
}

/// None of `max` or −1, which mean no limit.
fn share(quota_us: &str, period_us: &str) -> Option<f64> {
    let (quota_us, period_us) = (quota_us.parse::<u64>().ok()?, period_us.parse::<u64>().ok()?);
    (period_us > 0).then(|| quota_us as f64 / period_us as f64)
}

/// Version 1 uses a number that no machine reaches where there is no limit.
fn memory_bytes(Hierarchy { version, folder }: &Hierarchy) -> Option<u64> {
    let file = match version {
        Version::V2 => "memory.max",
        Version::V1 => "memory.limit_in_bytes",
    };
    word(folder, file)?.parse().ok()
}

fn word(folder: &Path, file: &str) -> Option<String> {
    Some(read_to_string(folder.join(file)).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(version: Version, files: &[(&str, &str)]) -> (tempfile::TempDir, Hierarchy) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let hierarchy = Hierarchy { version, folder: folder.path().to_owned() };
        (folder, hierarchy)
    }

    #[test]
    fn limits_are_read_in_both_cgroup_versions() {
        let (_keep, v2) = group(Version::V2, &[("cpu.max", "150000 100000\n"), ("memory.max", "536870912\n")]);
        assert_eq!((processors(&v2), memory_bytes(&v2)), (Some(1.5), Some(512 << 20)));
        let files =
            [("cpu.cfs_quota_us", "5000\n"), ("cpu.cfs_period_us", "10000\n"), ("memory.limit_in_bytes", "9\n")];
        let (_keep, v1) = group(Version::V1, &files);
        assert_eq!((processors(&v1), memory_bytes(&v1)), (Some(0.5), Some(9)));
    }

    #[test]
    fn missing_limit_is_none() {
        let (_keep, v2) = group(Version::V2, &[("cpu.max", "max 100000\n"), ("memory.max", "max\n")]);
        assert_eq!((processors(&v2), memory_bytes(&v2)), (None, None));
        let (_keep, v1) = group(Version::V1, &[("cpu.cfs_quota_us", "-1\n"), ("cpu.cfs_period_us", "100000\n")]);
        assert_eq!((processors(&v1), memory_bytes(&v1)), (None, None));
    }
}
