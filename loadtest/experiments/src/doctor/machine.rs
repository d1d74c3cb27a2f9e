//! Hardware and load of this machine, and what they mean for the measurements.

use engine::experiment::Need;
use engine::validity::STEAL_SHARE;
use lab::cpu_quota::CgroupLimits;

use super::finding::Assessment;

/// Estimated memory for the largest comparison: servers of all schemes at the same time, some 10 MB each, and 200,000
/// credentials in the store, in the server and in the generator.
const MIN_MEMORY_BYTES: u64 = 1 << 30;
/// Above this time per clock reading, in nanoseconds, the generator's capacity falls: a request reads the clock some
/// ten times.
const SLOW_READING_NS: f64 = 300.0;
/// The share of CPU time that other programs may use; an idle desktop uses less.
const MAX_OTHER_LOAD: f64 = 0.10;
/// The steal share above which some rounds are invalid.
const STEAL_WARNING: f64 = STEAL_SHARE / 3.0;

pub(super) fn processors(cores: &[Vec<u32>], cpu_limit: Option<f64>) -> Assessment {
    let count: usize = cores.iter().map(Vec::len).sum();
    let hardware = format!("{} on {}", pluralize(count, "processor"), pluralize(cores.len(), "core"));
    if let Some(share) = cpu_limit.filter(|share| *share < count as f64) {
        return Assessment::limited(
            format!("{hardware}; a control group limits them to {share:.2} CPUs"),
            "when the quota is used up, all processes are throttled; the pauses appear as latency that no scheme causes",
            "run authbench outside the group, or raise its quota (`docker run --cpus`, `CPUQuota=` of a systemd unit)",
        )
        .of(Need::Timed);
    }
    let more = "use a machine with at least three cores";
    match (count, cores.len()) {
        (0 | 1, _) => Assessment::limited(
            hardware,
            "server, store and generator compete for one processor: latencies are too long, and expensive checks look too \
             expensive",
            more,
        )
        .of(Need::Timed),
        (2, _) => Assessment::limited(
            hardware,
            "server and store share one processor, the generator has the other: with the store on another machine, capacity \
             would be higher",
            more,
        )
        .of(Need::Timed),
        (_, 0..3) => Assessment::limited(
            hardware,
            "the generator shares cores with server and store, which slows every scheme equally",
            more,
        )
        .of(Need::Timed),
        _ => Assessment::good(hardware, "server, store and generator each have their own cores"),
    }
}

/// Returns the available memory, limited by the machine and by the control groups of this process.
pub(super) fn available_bytes(cgroup_limits: &CgroupLimits) -> Option<u64> {
    lab::host::available_memory_bytes().into_iter().chain(cgroup_limits.memory_bytes).min()
}

pub(super) fn memory(total_bytes: u64, available_bytes: Option<u64>) -> Assessment {
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let Some(available_bytes) = available_bytes else {
        return Assessment::limited(
            format!("{:.1} GiB in total; the kernel does not report how much is available", gib(total_bytes)),
            "it is unknown whether stores and servers fit into memory",
            "mount /proc",
        )
        .of(Need::FillsMemory);
    };
    let observation = format!("{:.1} GiB available of {:.1} GiB", gib(available_bytes), gib(total_bytes));
    if available_bytes >= MIN_MEMORY_BYTES {
        return Assessment::good(observation, "the servers of all schemes and the largest store fit into memory");
    }
    let effect = "with servers of all schemes or with the largest stores, processes may swap or be killed";
    let advice = format!(
        "make at least {:.0} GiB available, or compare fewer schemes at a time (`--schemes`)",
        gib(MIN_MEMORY_BYTES)
    );
    Assessment::limited(observation, effect, advice).of_all()
}

pub(super) fn virtual_machine(virtualized: bool) -> Assessment {
    if virtualized {
        Assessment::limited(
            "this is a virtual machine",
            "noisy neighbours change this machine's speed from minute to minute: only interleaved rounds are comparable, and \
             high percentiles vary from round to round",
            "for high percentiles use a dedicated machine; otherwise run more rounds (`--profile full`)",
        )
        .of(Need::Timed)
    } else {
        Assessment::good("no hypervisor detected", "no other virtual machines affect this machine's speed")
    }
}

pub(super) fn clock(source: Option<&str>, reading_ns: f64) -> Assessment {
    let observation =
        format!("{}; one reading takes {reading_ns:.0} ns", source.unwrap_or("the kernel does not name it"));
    if reading_ns <= SLOW_READING_NS {
        return Assessment::good(observation, "the cost of reading the clock is negligible");
    }
    Assessment::limited(
        observation,
        "the generator spends CPU time on reading the clock, which reduces the rate that it sustains",
        "if /sys/devices/system/clocksource/clocksource0/available_clocksource lists tsc, boot with `clocksource=tsc`",
    )
    .of(Need::Paced)
}

pub(super) fn governor(governor: Option<&str>, virtualized: bool) -> Assessment {
    let effect =
        "idle processors lower their frequency: at low rates the same request takes longer and uses more CPU time";
    let set = "`sudo cpupower frequency-set --governor performance`";
    match governor {
        Some("performance") => Assessment::good("performance", "processors keep their frequency at low rates"),
        Some(other) => Assessment::limited(other, effect, set).of(Need::Paced),
        None if virtualized => Assessment::limited(
            "not visible here; the host controls the processors' frequency",
            "idle processors may lower their frequency: at low rates the same request may take longer and use more CPU time",
            format!("if you administer the host, run there: {set}"),
        )
        .of(Need::Paced),
        None => Assessment::good(
            "none: the kernel does not scale the processors' frequency",
            "processors run at the same frequency at any rate",
        ),
    }
}

/// Assesses the load that other programs cause while authbench is idle.
pub(super) fn other_load(share: Option<f64>) -> Assessment {
    let Some(share) = share else {
        return Assessment::limited(
            "unknown: /proc/stat does not report it",
            "it is unknown whether other programs disturb the measurements",
            "run authbench where /proc/stat is readable, for example outside a sandbox",
        )
        .of(Need::Timed);
    };
    let observation = format!("other programs use {:.0} % of the CPU time", share * 100.0);
    if share <= MAX_OTHER_LOAD {
        return Assessment::good(observation, "other programs do not disturb the measurements");
    }
    let effect =
        "other programs delay requests, evict data from caches, and reduce the capacity of server and generator";
    Assessment::limited(observation, effect, "stop them (`top` lists them), or wait until they are done")
        .of(Need::Timed)
}

pub(super) fn steal(share: Option<f64>) -> Assessment {
    let Some(share) = share else {
        return Assessment::limited(
            "unknown: /proc/stat does not report it",
            "rounds that lost CPU time to other virtual machines cannot be detected",
            "run authbench where /proc/stat is readable, for example outside a sandbox",
        )
        .of(Need::Timed);
    };
    let observation = format!("{:.1} % of the CPU time while doctor ran", share * 100.0);
    let bound = STEAL_SHARE * 100.0;
    let advice = "use a host that is not overcommitted, or try again when its other virtual machines are less busy";
    if share > STEAL_SHARE {
        let effect = format!("rounds with more than {bound:.0} % are invalid: most rounds would be");
        Assessment::limited(observation, effect, advice).of(Need::Timed)
    } else if share > STEAL_WARNING {
        let effect = format!("rounds with more than {bound:.0} % are invalid: some rounds will be");
        Assessment::limited(observation, effect, advice).of(Need::Timed)
    } else {
        Assessment::good(observation, format!("only rounds with more than {bound:.0} % are invalid"))
    }
}

fn pluralize(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State::{self, Good, Limited};
    use super::*;

    #[test]
    fn three_cores_are_good_and_two_with_hyperthreads_are_limited() {
        let state = |cores: &[&[u32]], cpu_limit| {
            processors(&cores.iter().map(|core| core.to_vec()).collect::<Vec<_>>(), cpu_limit).state
        };
        assert_eq!(state(&[&[0], &[1], &[2]], None), Good);
        assert_eq!(state(&[&[0, 1], &[2, 3]], None), Limited);
        assert_eq!(state(&[&[0], &[1]], None), Limited);
        assert_eq!(state(&[&[0]], None), Limited);
        assert_eq!(state(&[&[0], &[1], &[2]], Some(3.0)), Good, "the quota is as large as the machine");
        let bounded = processors(&[vec![0], vec![1], vec![2]], Some(1.5));
        assert!(bounded.state == Limited && bounded.observation.contains("1.50 CPUs"), "{bounded:?}");
    }

    #[test]
    fn counts_use_singular_and_plural() {
        assert_eq!(processors(&[vec![0]], None).observation, "1 processor on 1 core");
        assert_eq!(processors(&[vec![0, 1]], None).observation, "2 processors on 1 core");
    }

    #[test]
    fn steal_has_the_same_limit_as_rounds() {
        assert_eq!(steal(Some(0.0)).state, Good);
        assert_eq!(steal(Some(STEAL_WARNING)).state, Good);
        assert!(steal(Some(0.02)).effect.contains("some rounds will be"));
        assert!(steal(Some(0.04)).effect.contains("most rounds would be"));
        assert_eq!(steal(None).state, Limited);
    }

    #[test]
    fn other_load_of_an_idle_desktop_is_good() {
        assert_eq!(other_load(Some(MAX_OTHER_LOAD)).state, Good);
        assert_eq!(other_load(Some(0.5)).observation, "other programs use 50 % of the CPU time");
        assert_eq!(other_load(Some(0.5)).state, Limited);
        assert_eq!(other_load(None).state, Limited);
    }

    #[test]
    fn only_a_governor_with_constant_frequency_is_good() {
        let state = |governor_name, virtualized| -> State { governor(governor_name, virtualized).state };
        assert_eq!(state(Some("performance"), true), Good);
        assert_eq!(state(Some("schedutil"), false), Limited);
        assert_eq!(state(None, true), Limited);
        assert_eq!(state(None, false), Good);
    }

    #[test]
    fn little_memory_and_slow_clocks_are_limited() {
        assert_eq!(memory(8 << 30, Some(MIN_MEMORY_BYTES)).state, Good);
        assert_eq!(memory(8 << 30, Some(MIN_MEMORY_BYTES - 1)).state, Limited);
        assert_eq!(memory(8 << 30, None).state, Limited);
        assert_eq!(clock(Some("tsc"), 25.0).state, Good);
        assert_eq!(clock(Some("acpi_pm"), 1_500.0).state, Limited);
        assert_eq!(virtual_machine(true).state, Limited);
        assert_eq!(virtual_machine(false).state, Good);
    }
}
