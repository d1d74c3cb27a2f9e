//! Where groups can be made: the hierarchies of control groups that are mounted, and our place in them.

use std::fs::{self, read_to_string};
use std::path::{Path, PathBuf};

use procfs::process::{MountInfo, Process};
use procfs::{ProcResult, ProcessCGroup, ProcessCGroups};

/// How quotas are created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CgroupBackend {
    /// As groups of our own.
    Groups(Hierarchy),
    /// By the user's systemd.
    Systemd,
}

/// A folder of a hierarchy that has the processor as a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    pub(super) folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// What a hierarchy divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Processor,
    Memory,
}

impl Resource {
    /// As the kernel names it.
    const fn name(self) -> &'static str {
        match self {
            Self::Processor => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// Returns the backends that may work, the best first, and adds the reason for each that cannot.
pub(super) fn candidates(reasons: &mut Vec<String>) -> Vec<CgroupBackend> {
    let mut backends: Vec<CgroupBackend> = Vec::new();
    for hierarchy in hierarchies(Resource::Processor) {
        match hierarchy.check_cpu_controller() {
            Ok(()) => backends.push(CgroupBackend::Groups(hierarchy)),
            Err(reason) => reasons.push(format!("{}: {reason}", hierarchy.folder.display())),
        }
    }
    if backends.is_empty() && reasons.is_empty() {
        reasons.push("no control groups are mounted".to_owned());
    }
    backends.push(CgroupBackend::Systemd);
    backends
}

/// Our own group and its ancestors, in every hierarchy that may have the resource. The own group may not allow
/// children because it has processes, and the ancestors because they belong to another user.
pub(super) fn hierarchies(resource: Resource) -> Vec<Hierarchy> {
    let above = |Mount { version, at }: Mount, group_path: &Path| {
        let group_path = at.join(group_path.strip_prefix("/").unwrap_or(group_path));
        let folders: Vec<PathBuf> =
            group_path.ancestors().take_while(|folder| folder.starts_with(&at)).map(Path::to_owned).collect();
        folders.into_iter().map(move |folder| Hierarchy { version, folder })
    };
    mounts_with_paths(Process::myself(), resource)
        .into_iter()
        .flat_map(|(mount, group_path)| above(mount, &group_path))
        .collect()
}

/// The folder of the group that a process is in, which has the processor as a resource.
pub(super) fn group_of(pid: u32) -> Option<PathBuf> {
    let folders = mounts_with_paths(Process::new(pid.cast_signed()), Resource::Processor).into_iter();
    let folders = folders.map(|(mount, group_path)| mount.at.join(group_path.strip_prefix("/").unwrap_or(&group_path)));
    folders.into_iter().find(|folder| has_quota(folder))
}

fn has_quota(group: &Path) -> bool {
    ["cpu.max", "cpu.cfs_quota_us"].iter().any(|file| group.join(file).exists())
}

impl Hierarchy {
    /// Checks that groups created here can have a quota; enables the controller in version 2 if necessary.
    fn check_cpu_controller(&self) -> Result<(), String> {
        let controllers = self.folder.join("cgroup.subtree_control");
        let has =
            |file: &Path| read_to_string(file).is_ok_and(|text| text.split_whitespace().any(|word| word == "cpu"));
        match self.version {
            Version::V1 => Ok(()),
            Version::V2 if has(&controllers) => Ok(()),
            Version::V2 if !has(&self.folder.join("cgroup.controllers")) => {
                Err("the cpu controller is not available".to_owned())
            }
            Version::V2 => fs::write(&controllers, "+cpu")
                .map_err(|error| format!("the cpu controller cannot be enabled: {error}")),
        }
    }
}

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    version: Version,
    at: PathBuf,
}

/// Each mounted hierarchy that may have the resource, with the path of a process in it.
fn mounts_with_paths(process: ProcResult<Process>, resource: Resource) -> Vec<(Mount, PathBuf)> {
    let mounts = mounts(&read_to_string("/proc/self/mountinfo").unwrap_or_default(), resource).into_iter();
    let Ok(groups) = process.and_then(|process| process.cgroups()) else { return vec![] };
    mounts
        .filter_map(|mount| Some((path(&groups, mount.version, resource)?, mount)))
        .map(|(path, mount)| (mount, path))
        .collect()
}

/// From `/proc/self/mountinfo`: version 2 first. A line that cannot be parsed is of another file system.
fn mounts(mountinfo: &str, resource: Resource) -> Vec<Mount> {
    let mount = |line: &str| {
        let MountInfo { mount_point, fs_type, super_options, .. } = MountInfo::from_line(line).ok()?;
        let version = match fs_type.as_str() {
            "cgroup2" => Version::V2,
            "cgroup" if super_options.contains_key(resource.name()) => Version::V1,
            _ => return None,
        };
        Some(Mount { version, at: mount_point })
    };
    let mut mounts: Vec<Mount> = mountinfo.lines().filter_map(mount).collect();
    mounts.sort_by_key(|mount| mount.version == Version::V1);
    mounts
}

/// Returns the path of a process in a hierarchy that has the resource.
fn path(groups: &ProcessCGroups, version: Version, resource: Resource) -> Option<PathBuf> {
    let has_resource = |group: &&ProcessCGroup| match version {
        Version::V2 => group.hierarchy == 0,
        Version::V1 => group.controllers.iter().any(|controller| controller == resource.name()),
    };
    groups.0.iter().find(has_resource).map(|group| PathBuf::from(&group.pathname))
}

#[cfg(test)]
mod tests {
    use procfs::FromRead as _;

    use super::*;

    const MIXED_MOUNTINFO: &str = "\
30 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
";

    #[test]
    fn hierarchies_are_parsed_from_mountinfo() {
        let at = |version, at: &str| Mount { version, at: at.into() };
        let expected = [at(Version::V2, "/sys/fs/cgroup/unified"), at(Version::V1, "/sys/fs/cgroup/cpu,cpuacct")];
        assert_eq!(mounts(MIXED_MOUNTINFO, Resource::Processor), expected);
        assert_eq!(
            mounts(MIXED_MOUNTINFO, Resource::Memory),
            expected[..1],
            "version 1 mounts each controller separately"
        );
        assert_eq!(mounts("31 30 0:27 / /proc rw - proc proc rw\n", Resource::Processor), []);
    }

    #[test]
    fn group_path_is_parsed_for_each_hierarchy() {
        let path = |groups: &str, version| {
            super::path(&ProcessCGroups::from_read(groups.as_bytes()).unwrap(), version, Resource::Processor)
        };
        let groups = "3:cpuset:/\n2:cpu,cpuacct:/part\n0::/user.slice/session-2.scope\n";
        assert_eq!(path(groups, Version::V1), Some("/part".into()));
        assert_eq!(path(groups, Version::V2), Some("/user.slice/session-2.scope".into()));
        assert_eq!(path("0::/\n", Version::V1), None);
    }
}
