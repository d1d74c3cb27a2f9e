//! What the machine is: facts, and what follows from them.

use engine::experiment::Need;
use engine::validity::STEAL_SHARE;
use lab::slice::Allowance;

use super::finding::Judgement;

/// A rough count of what the fullest comparison takes: servers of all schemes side by side, some 10 MB each, and 200,000
/// credentials in the store, in the server and in the generator.
const ENOUGH_BYTES: u64 = 1 << 30;
/// A request reads the clock some ten times: more than this, in nanoseconds, shows in what the generator can carry.
const DEAR_READING_NS: f64 = 300.0;
/// Up to this share of the processors' time others may be busy: a desktop at rest is below.
const QUIET: f64 = 0.10;
/// With more than this share of what makes a round invalid, some rounds are.
const STEAL_WARNING: f64 = STEAL_SHARE / 3.0;

pub(super) fn processors(cores: &[Vec<u32>], allowance: Option<f64>) -> Judgement {
    let count: usize = cores.iter().map(Vec::len).sum();
    let there = format!("{} on {}", counted(count, "processor"), counted(cores.len(), "core"));
    if let Some(share) = allowance.filter(|share| *share < count as f64) {
        return Judgement::limited(
            format!("{there}, of whose time a control group leaves {share:.2} processors"),
            "when they are used up everything stands still, which shows as waiting that no scheme causes",
            "start it outside of that group, or lift its quota (`docker run --cpus`, `CPUQuota=` of a unit of systemd)",
        )
        .of(Need::Timed);
    }
    let more = "use a machine with at least three cores";
    match (count, cores.len()) {
        (0 | 1, _) => Judgement::limited(
            there,
            "server, store and generator take each other's time: latencies are too long, and dear checks look too dear",
            more,
        )
        .of(Need::Timed),
        (2, _) => Judgement::limited(
            there,
            "server and store share one, the generator has the other: a store on a machine of its own would carry more",
            more,
        )
        .of(Need::Timed),
        (_, 0..3) => Judgement::limited(
            there,
            "the generator shares cores with server and store, and slows every scheme alike",
            more,
        )
        .of(Need::Timed),
        _ => Judgement::good(there, "server, store and generator have cores of their own"),
    }
}

/// What can be had: of the machine, and of the groups that this process is in.
pub(super) fn available_bytes(allowance: &Allowance) -> Option<u64> {
    lab::host::available_memory_bytes().into_iter().chain(allowance.memory_bytes).min()
}

pub(super) fn memory(total_bytes: u64, available_bytes: Option<u64>) -> Judgement {
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let Some(available_bytes) = available_bytes else {
        return Judgement::limited(
            format!("{:.1} GiB, and the kernel does not say how much of it can be had", gib(total_bytes)),
            "nobody can tell whether stores and servers are going to fit",
            "mount /proc",
        )
        .of(Need::Held);
    };
    let found = format!("{:.1} GiB can be had, of {:.1} GiB", gib(available_bytes), gib(total_bytes));
    if available_bytes >= ENOUGH_BYTES {
        return Judgement::good(found, "every scheme's server and the fullest store fit");
    }
    let means = "servers of all schemes beside each other, or the fullest stores, may swap or be killed";
    let advice = format!("free up to {:.0} GiB, or compare fewer schemes at a time (`--schemes`)", gib(ENOUGH_BYTES));
    Judgement::limited(found, means, advice).of_all()
}

pub(super) fn virtual_machine(virtualized: bool) -> Judgement {
    if virtualized {
        Judgement::limited(
            "a hypervisor is under this kernel",
            "its other guests change this machine's pace from minute to minute: only what was run in turn can be compared, \
             and high percentiles scatter from round to round",
            "use a machine that nobody shares for high percentiles; else take more rounds (`--profile full`)",
        )
        .of(Need::Timed)
    } else {
        Judgement::good("no hypervisor shows", "nobody else changes this machine's pace")
    }
}

pub(super) fn clock(source: Option<&str>, reading_ns: f64) -> Judgement {
    let found = format!("{}; reading it takes {reading_ns:.0} ns", source.unwrap_or("the kernel does not name it"));
    if reading_ns <= DEAR_READING_NS {
        return Judgement::good(found, "to take the time costs next to nothing");
    }
    Judgement::limited(
        found,
        "the generator spends its time on reading the clock, so that it carries less",
        "see what there is in /sys/devices/system/clocksource/clocksource0/available_clocksource, and boot with \
         `clocksource=tsc` if that is among it",
    )
    .of(Need::Paced)
}

pub(super) fn governor(governor: Option<&str>, virtualized: bool) -> Judgement {
    let means = "processors that are not busy slow down: at low rates the same request takes longer and costs more";
    let set = "`sudo cpupower frequency-set --governor performance`";
    match governor {
        Some("performance") => Judgement::good("performance", "processors keep their pace at low rates, too"),
        Some(other) => Judgement::limited(other, means, set).of(Need::Paced),
        None if virtualized => Judgement::limited(
            "none shows; the host decides on the processors' pace",
            "processors that are not busy may slow down: at low rates the same request may take longer and cost more",
            format!("on the host, where it is yours: {set}"),
        )
        .of(Need::Paced),
        None => Judgement::good("none: the kernel does not change the processors' pace", "it is the same at any rate"),
    }
}

/// What others do on this machine while authbench does nothing.
pub(super) fn other_load(share: Option<f64>) -> Judgement {
    let Some(share) = share else {
        return Judgement::limited(
            "/proc/stat does not tell it",
            "nobody can tell whether other programs disturb what is measured",
            "run it where /proc is the kernel's own",
        )
        .of(Need::Timed);
    };
    let found = format!("other programs keep {:.0} % of the processors' time busy", share * 100.0);
    if share <= QUIET {
        return Judgement::good(found, "nothing disturbs what is measured");
    }
    let means = "they delay requests, push data out of caches, and take from what server and generator can carry";
    Judgement::limited(found, means, "end them (`top` shows them), or wait until they are done").of(Need::Timed)
}

pub(super) fn steal(share: Option<f64>) -> Judgement {
    let Some(share) = share else {
        return Judgement::limited(
            "/proc/stat does not tell it",
            "a round from which a hypervisor took time cannot be told from a good one",
            "run it where /proc is the kernel's own",
        )
        .of(Need::Timed);
    };
    let found = format!("{:.1} % of the CPU time while this was found out", share * 100.0);
    let bound = STEAL_SHARE * 100.0;
    let advice = "use a machine that is not overcommitted, or come back when its other guests are quiet";
    if share > STEAL_SHARE {
        let means = format!("rounds with more than {bound:.0} % are invalid: most would be");
        Judgement::limited(found, means, advice).of(Need::Timed)
    } else if share > STEAL_WARNING {
        let means = format!("rounds with more than {bound:.0} % are invalid: some will be");
        Judgement::limited(found, means, advice).of(Need::Timed)
    } else {
        Judgement::good(found, format!("rounds are invalid only from {bound:.0} % on"))
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State::{self, Good, Limited};
    use super::*;

    #[test]
    fn three_cores_are_enough_and_threads_of_two_are_not() {
        let state = |cores: &[&[u32]], allowance| {
            processors(&cores.iter().map(|core| core.to_vec()).collect::<Vec<_>>(), allowance).state
        };
        assert_eq!(state(&[&[0], &[1], &[2]], None), Good);
        assert_eq!(state(&[&[0, 1], &[2, 3]], None), Limited);
        assert_eq!(state(&[&[0], &[1]], None), Limited);
        assert_eq!(state(&[&[0]], None), Limited);
        assert_eq!(state(&[&[0], &[1], &[2]], Some(3.0)), Good, "the quota is no narrower than the machine");
        let bounded = processors(&[vec![0], vec![1], vec![2]], Some(1.5));
        assert!(bounded.state == Limited && bounded.found.contains("1.50 processors"), "{bounded:?}");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(processors(&[vec![0]], None).found, "1 processor on 1 core");
        assert_eq!(processors(&[vec![0, 1]], None).found, "2 processors on 1 core");
    }

    #[test]
    fn steal_is_judged_by_what_makes_rounds_invalid() {
        assert_eq!(steal(Some(0.0)).state, Good);
        assert_eq!(steal(Some(STEAL_WARNING)).state, Good);
        assert!(steal(Some(0.02)).means.contains("some will be"));
        assert!(steal(Some(0.04)).means.contains("most would be"));
        assert_eq!(steal(None).state, Limited);
    }

    #[test]
    fn others_may_be_as_busy_as_a_desktop_at_rest() {
        assert_eq!(other_load(Some(QUIET)).state, Good);
        assert_eq!(other_load(Some(0.5)).found, "other programs keep 50 % of the processors' time busy");
        assert_eq!(other_load(Some(0.5)).state, Limited);
        assert_eq!(other_load(None).state, Limited);
    }

    #[test]
    fn only_a_governor_that_keeps_the_pace_is_good() {
        let state = |governor_name, virtualized| -> State { governor(governor_name, virtualized).state };
        assert_eq!(state(Some("performance"), true), Good);
        assert_eq!(state(Some("schedutil"), false), Limited);
        assert_eq!(state(None, true), Limited);
        assert_eq!(state(None, false), Good);
    }

    #[test]
    fn memory_and_clock_have_bounds() {
        assert_eq!(memory(8 << 30, Some(ENOUGH_BYTES)).state, Good);
        assert_eq!(memory(8 << 30, Some(ENOUGH_BYTES - 1)).state, Limited);
        assert_eq!(memory(8 << 30, None).state, Limited);
        assert_eq!(clock(Some("tsc"), 25.0).state, Good);
        assert_eq!(clock(Some("acpi_pm"), 1_500.0).state, Limited);
        assert_eq!(virtual_machine(true).state, Limited);
        assert_eq!(virtual_machine(false).state, Good);
    }
}
