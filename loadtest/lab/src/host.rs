//! Facts about the machine, from `/proc` and `/sys`.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

use engine::record::Host;
use procfs::{Current as _, Meminfo};

/// Returns what this machine is, and how much of it this thread may use: call it before the thread is pinned.
/// Unavailable facts are null or `unknown`.
#[must_use]
pub fn host() -> Host {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    Host {
        kernel: kernel(),
        cpu_model: cpu_model(&cpuinfo),
        cpus: crate::placement::allowed().len() as u32,
        memory_bytes: Meminfo::current().map_or(0, |memory| memory.mem_total),
        clock_source: word("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        cpu_governor: word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        virtualized: is_virtualized(&cpuinfo),
    }
}

/// The versions of the programs that take part besides this workspace's own, by name. One that is
/// not installed is left out.
#[must_use]
pub fn software() -> BTreeMap<String, String> {
    let redis = redis_version().map(|version| ("redis-server".to_owned(), version));
    redis.into_iter().collect()
}

/// The memory that can be had without swapping, in bytes, as far as the kernel knows.
#[must_use]
pub fn available_memory_bytes() -> Option<u64> {
    Meminfo::current().ok()?.mem_available
}

/// The version of the `HAProxy` in PATH; none if there is none.
#[must_use]
pub fn haproxy_version() -> Option<String> {
    let output = Command::new("haproxy").arg("-v").output().ok()?;
    parse_haproxy_version(&String::from_utf8_lossy(&output.stdout))
}

/// From a line such as `HAProxy version 2.6.12-1+deb12u1 2023/12/16 - https://haproxy.org/`; before 2.2 it began with
/// `HA-Proxy`.
fn parse_haproxy_version(text: &str) -> Option<String> {
    let (_, version) = text.lines().next()?.split_once("Proxy version ")?;
    version.split_whitespace().next().map(str::to_owned)
}

/// The version of the valgrind in PATH; none if there is none.
#[must_use]
pub fn valgrind_version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    parse_valgrind_version(&String::from_utf8_lossy(&output.stdout))
}

/// From a line such as `valgrind-3.19.0`.
fn parse_valgrind_version(text: &str) -> Option<String> {
    text.trim().strip_prefix("valgrind-").map(str::to_owned)
}

fn redis_version() -> Option<String> {
    let output = Command::new("redis-server").arg("--version").output().ok()?;
    parse_redis_version(&String::from_utf8_lossy(&output.stdout))
}

/// From a line such as `Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=...`.
fn parse_redis_version(line: &str) -> Option<String> {
    line.split_whitespace().find_map(|word| word.strip_prefix("v=")).map(str::to_owned)
}

fn kernel() -> String {
    let part = |name: &str| word(&format!("/proc/sys/kernel/{name}")).unwrap_or_else(|| "unknown".to_owned());
    format!("{} {} {}", part("ostype"), part("osrelease"), std::env::consts::ARCH)
}

/// x86 has `model name`; ARM boards name themselves in the device tree instead.
fn cpu_model(cpuinfo: &str) -> String {
    let named = field(cpuinfo, "model name").map(str::to_owned);
    let board = || word("/proc/device-tree/model").map(|model| model.trim_end_matches('\0').to_owned());
    named.or_else(board).unwrap_or_else(|| "unknown".to_owned())
}

/// x86 hypervisors set a processor flag; others show in the device tree or as the Xen folder.
fn is_virtualized(cpuinfo: &str) -> bool {
    let flagged = field(cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    flagged || Path::new("/proc/device-tree/hypervisor").exists() || Path::new("/sys/hypervisor/type").exists()
}

/// The first value of a `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// The content of a file of one word or line; none if it is absent or empty.
fn word(path: &str) -> Option<String> {
    let text = read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_reports_kernel_cpus_and_memory() {
        let host = host();
        assert!(host.kernel.starts_with("Linux "), "{}", host.kernel);
        assert!(host.cpus >= 1);
        assert!(host.memory_bytes > 64 << 20);
        assert!(!host.cpu_model.is_empty());
    }

    #[test]
    fn processor_is_described_as_cpuinfo_has_it() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu vme hypervisor lahf_lm\n\nprocessor\t: 1\n";
        assert_eq!(cpu_model(cpuinfo), "AMD EPYC");
        assert!(is_virtualized(cpuinfo));
    }

    #[test]
    fn redis_version_is_parsed() {
        let line = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0\n";
        assert_eq!(parse_redis_version(line).as_deref(), Some("7.0.15"));
        assert_eq!(parse_redis_version("not redis"), None);
    }

    #[test]
    fn haproxy_version_is_parsed() {
        let version = |text| parse_haproxy_version(text).unwrap_or_default();
        assert_eq!(version("HAProxy version 2.6.12-1 2023/12/16 - https://haproxy.org/\nStatus: ...\n"), "2.6.12-1");
        assert_eq!(version("HA-Proxy version 1.8.30 2021/04/12\n"), "1.8.30");
        assert_eq!(version("sh: haproxy: not found"), "");
    }

    #[test]
    fn valgrind_version_is_parsed() {
        assert_eq!(parse_valgrind_version("valgrind-3.19.0\n").unwrap(), "3.19.0");
        assert_eq!(parse_valgrind_version("sh: valgrind: not found"), None);
    }
}
