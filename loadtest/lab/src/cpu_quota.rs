//! A CPU quota for a process and its children: a control group with a bandwidth limit.
//!
//! With quotas one machine acts as several small ones: the rate that a node sustains is bounded by its quota, not by
//! its neighbours. Quotas are for *capacity* only: inside a period a node runs at full speed and is then throttled, so
//! its latency is neither that of a small machine nor that of a large one.
//!
//! | where | how |
//! | --- | --- |
//! | cgroup v2, as root or in a delegated part | a group of our own with `cpu.max` |
//! | cgroup v1, as root | a group of our own with `cpu.cfs_quota_us` |
//! | a systemd user manager | `systemd-run --user --scope` with `CPUQuota` |

mod cgroup_backend;
mod cgroup_limits;
mod owner;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use cgroup_backend::{CgroupBackend, Hierarchy, Resource, Version};
pub use cgroup_limits::CgroupLimits;
use owner::Owner;

/// The shortest quota period: a node that has used up its quota is throttled for less than this.
const PERIOD_US: u64 = 10_000;
/// The kernel accepts no smaller quota; smaller ones get a longer period.
const MIN_QUOTA_US: u64 = 1_000;
/// How long a group may take to become empty once what is left in it was killed.
const GROUP_EMPTY_TIMEOUT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);

/// How many quotas this process has created: two of the same name may exist at a time.
static CREATED: AtomicU64 = AtomicU64::new(0);

/// The CPU quotas of this machine: creates them with its cgroup backend.
#[derive(Clone, Debug)]
pub struct CpuQuotas {
    cgroup_backend: CgroupBackend,
}

/// CPU quotas are not available on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "CPU quotas are not available here: {reasons}; run as root, or in a session with a systemd user \
     manager (`systemd-run --user --scope true` then works)"
)]
pub struct NoCpuQuotas {
    /// Why not, a clause for every backend that was tried.
    pub reasons: String,
}

/// A CPU quota cannot be created.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot create a CPU quota of {share} CPUs at {path}: {source}; check that you may create control groups there",
    path = path.display()
)]
pub struct CpuQuotaError {
    /// The requested quota.
    pub share: f64,
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// A CPU quota. Dropping it kills the processes that still run with it, and removes the group.
#[derive(Debug)]
pub struct CpuQuota {
    /// The share of a CPU that it was created with.
    share: f64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A group, and the file that a process writes its id to in order to join it.
    Group { version: Version, folder: PathBuf, entry: File },
    /// A transient unit of this name, removed by systemd when it is empty.
    Scope { unit: String },
}

/// How often a group was stopped because its quota was used up, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Periods in which it wanted to run.
    pub periods: u64,
    /// Those of them in which its quota was used up.
    pub throttled: u64,
    /// How long its threads were kept from running, in nanoseconds.
    pub throttled_ns: u64,
}

impl CpuQuotas {
    /// Returns the best backend of this machine, tested with a quota that is removed again.
    pub fn detect() -> Result<Self, NoCpuQuotas> {
        let mut reasons = Vec::new();
        for cgroup_backend in cgroup_backend::candidates(&mut reasons) {
            let quotas = Self { cgroup_backend };
            match quotas.test_quota() {
                Ok(()) => return Ok(quotas),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(NoCpuQuotas { reasons: reasons.join("; ") })
    }

    /// Returns how they are created, as the record names it.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match &self.cgroup_backend {
            CgroupBackend::Groups(Hierarchy { version: Version::V2, .. }) => "cgroup v2",
            CgroupBackend::Groups(Hierarchy { version: Version::V1, .. }) => "cgroup v1",
            CgroupBackend::Systemd => "systemd-run --user --scope",
        }
    }

    /// Creates a quota of this many CPUs (0.1 is a tenth of one). The group's name contains the given name.
    pub fn create(&self, name: &str, share: f64) -> Result<CpuQuota, CpuQuotaError> {
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}-{name}", Owner::this());
        let kind = match &self.cgroup_backend {
            CgroupBackend::Systemd => Kind::Scope { unit: name },
            CgroupBackend::Groups(hierarchy) => {
                let folder = hierarchy.folder.join(name);
                let created = create_group(hierarchy.version, &folder, share);
                let entry = created.map_err(|source| CpuQuotaError { share, path: folder.clone(), source })?;
                Kind::Group { version: hierarchy.version, folder, entry }
            }
        };
        Ok(CpuQuota { share, kind })
    }

    /// Removes the groups that killed runs have left, with any processes in them, and returns their names.
    #[must_use]
    pub fn reclaim() -> Vec<PathBuf> {
        let groups = cgroup_backend::hierarchies(Resource::Processor)
            .into_iter()
            .flat_map(|hierarchy| fs::read_dir(hierarchy.folder));
        let leftover = groups.flatten().flatten().map(|entry| entry.path());
        leftover.filter(|folder| Owner::is_gone(folder) && remove_group(folder).is_ok()).collect()
    }

    /// Starts a process with a quota, or returns why that is not possible.
    fn test_quota(&self) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", self.method());
        let quota = self.create("trial", 0.5).map_err(|error| failed(&error))?;
        let (program, args) = quota.wrap("true".into(), Vec::new());
        let mut command = std::process::Command::new(program);
        command.args(args);
        quota.enter(&mut command).map_err(|error| failed(&error))?;
        let output = command.output().map_err(|error| failed(&error))?;
        if output.status.success() { Ok(()) } else { Err(failed(&String::from_utf8_lossy(&output.stderr).trim())) }
    }
}

/// Makes a group with its quota, or leaves nothing behind.
fn create_group(version: Version, folder: &Path, share: f64) -> io::Result<File> {
    fs::create_dir(folder)?;
    let created = set_quota(version, folder, share);
    created.and_then(|()| File::options().write(true).open(folder.join("cgroup.procs"))).inspect_err(|_| {
        // The error that led here is the one to report.
        let _ = fs::remove_dir(folder);
    })
}

fn set_quota(version: Version, folder: &Path, share: f64) -> io::Result<()> {
    let (quota_us, period_us) = quota(share);
    match version {
        Version::V2 => fs::write(folder.join("cpu.max"), format!("{quota_us} {period_us}")),
        Version::V1 => {
            // A quota larger than that of a parent group would be rejected in the new period.
            fs::write(folder.join("cpu.cfs_quota_us"), "-1")?;
            fs::write(folder.join("cpu.cfs_period_us"), period_us.to_string())?;
            fs::write(folder.join("cpu.cfs_quota_us"), quota_us.to_string())
        }
    }
}

/// A quota and its period as systemd reads them.
fn scope_quota(share: f64) -> [String; 2] {
    let (quota_us, period_us) = quota(share);
    [format!("{}%", 100.0 * quota_us as f64 / period_us as f64), format!("{period_us}us")]
}

/// Microseconds of processor time, and the period in which they may be used.
fn quota(share: f64) -> (u64, u64) {
    let period_us = PERIOD_US.max((MIN_QUOTA_US as f64 / share).ceil() as u64);
    ((share * period_us as f64).round() as u64, period_us)
}

impl CpuQuota {
    /// Changes the quota of the processes in it.
    pub fn resize(&self, share: f64) -> io::Result<()> {
        match &self.kind {
            Kind::Group { folder, version, .. } => set_quota(*version, folder, share)?,
            Kind::Scope { unit } => {
                let mut command = std::process::Command::new("systemctl");
                let properties = ["CPUQuota", "CPUQuotaPeriodSec"];
                command.args(["--user", "--runtime", "set-property", &format!("{unit}.scope")]);
                command.args(properties.iter().zip(scope_quota(share)).map(|(name, value)| format!("{name}={value}")));
                let output = command.output()?;
                if !output.status.success() {
                    return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Returns the program and arguments that run this program with the quota.
    pub(crate) fn wrap(&self, program: OsString, args: Vec<OsString>) -> (OsString, Vec<OsString>) {
        let Kind::Scope { unit } = &self.kind else { return (program, args) };
        let [quota, period] = scope_quota(self.share);
        let options = [
            "--user".to_owned(),
            "--scope".to_owned(),
            "--quiet".to_owned(),
            "--collect".to_owned(),
            format!("--unit={unit}"),
            format!("--property=CPUQuota={quota}"),
            format!("--property=CPUQuotaPeriodSec={period}"),
            "--".to_owned(),
        ];
        let args = options.into_iter().map(OsString::from).chain([program]).chain(args).collect();
        ("systemd-run".into(), args)
    }

    /// Has the command enter the group before it becomes its program.
    #[expect(unsafe_code, reason = "std has no other way to act between fork and exec")]
    pub(crate) fn enter(&self, command: &mut std::process::Command) -> io::Result<()> {
        use std::io::Write as _;
        use std::os::unix::process::CommandExt as _;
        let Kind::Group { entry, .. } = &self.kind else { return Ok(()) };
        let mut entry = entry.try_clone()?;
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; this is one `write` to a file opened
        // beforehand, of bytes that are constant.
        unsafe {
            // 0 is the writing process.
            command.pre_exec(move || entry.write_all(b"0"));
        }
        Ok(())
    }
}

impl Drop for CpuQuota {
    fn drop(&mut self) {
        if let Kind::Group { folder, .. } = &self.kind {
            // What cannot be removed now is removed at the next start.
            let _ = remove_group(folder);
        }
    }
}

/// Ends whatever is left in the group, which are descendants of what was started in it, and removes it.
fn remove_group(folder: &Path) -> io::Result<()> {
    let deadline = Instant::now() + GROUP_EMPTY_TIMEOUT;
    loop {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {}
            outcome => return outcome,
        }
        let members = fs::read_to_string(folder.join("cgroup.procs"))?;
        for pid in pids(&members) {
            // It may have ended by itself meanwhile.
            let _ = kill(pid, Signal::SIGKILL);
        }
        sleep(POLL);
    }
}

/// From `cgroup.procs`. It names a process of another container 0, which to `kill` would mean ourselves.
fn pids(members: &str) -> impl Iterator<Item = Pid> {
    members.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).map(Pid::from_raw)
}

impl Throttling {
    /// Of the group that this process is in.
    pub fn of(pid: u32) -> io::Result<Self> {
        let folder = cgroup_backend::group_of(pid).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Self::parse(&fs::read_to_string(folder.join("cpu.stat"))?))
    }

    /// What has come since an earlier reading.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            periods: self.periods - earlier.periods,
            throttled: self.throttled - earlier.throttled,
            throttled_ns: self.throttled_ns - earlier.throttled_ns,
        }
    }

    /// The share of its periods in which the quota was used up, 0 to 1: near 1 the process is saturated.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.periods == 0 { 0.0 } else { self.throttled as f64 / self.periods as f64 }
    }

    fn parse(stat: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = stat.lines().filter_map(|line| line.split_once(' '));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse::<u64>().ok())
        };
        Self {
            periods: value("nr_periods").unwrap_or(0),
            throttled: value("nr_throttled").unwrap_or(0),
            // Version 1 counts in nanoseconds, version 2 in microseconds.
            throttled_ns: value("throttled_time").or_else(|| value("throttled_usec").map(|us| us * 1_000)).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_respects_the_kernel_minimum() {
        assert_eq!(quota(0.1), (1_000, 10_000));
        assert_eq!(quota(0.5), (5_000, 10_000));
        assert_eq!(quota(2.5), (25_000, 10_000));
        let (quota_us, period_us) = quota(0.03);
        assert!(quota_us >= MIN_QUOTA_US, "{quota_us}");
        assert!((quota_us as f64 / period_us as f64 - 0.03).abs() < 1e-4, "{quota_us} of {period_us}");
    }

    #[test]
    fn throttling_is_read_in_both_cgroup_versions() {
        let expected = Throttling { periods: 10, throttled: 4, throttled_ns: 7_000 };
        assert_eq!(Throttling::parse("nr_periods 10\nnr_throttled 4\nthrottled_time 7000\n"), expected);
        let v2 = "usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 10\nnr_throttled 4\nthrottled_usec 7\n";
        assert_eq!(Throttling::parse(v2), expected);
        assert!((expected.share() - 0.4).abs() < 1e-12);
        let later = Throttling { periods: 15, throttled: 9, throttled_ns: 8_000 };
        assert_eq!(later.since(expected), Throttling { periods: 5, throttled: 5, throttled_ns: 1_000 });
    }

    #[test]
    fn no_foreign_process_is_signalled() {
        assert_eq!(pids("12\n0\n345\n").collect::<Vec<_>>(), [12, 345].map(Pid::from_raw));
    }

    #[test]
    fn scope_gets_its_quota() {
        let quota = CpuQuota { share: 0.125, kind: Kind::Scope { unit: "authbench-1-2-node".to_owned() } };
        let (program, args) = quota.wrap("/bin/server".into(), vec!["--bench".into()]);
        assert_eq!(program, "systemd-run");
        let args: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
        let (options, command) = args.split_at(args.iter().position(|arg| *arg == "--").unwrap());
        assert!(options.contains(&"--property=CPUQuota=12.5%"), "{options:?}");
        assert!(options.contains(&"--property=CPUQuotaPeriodSec=10000us"), "{options:?}");
        assert!(options.contains(&"--unit=authbench-1-2-node"), "{options:?}");
        assert_eq!(command, ["--", "/bin/server", "--bench"]);
    }
}
