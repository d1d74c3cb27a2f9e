//! Which processors server, store and generator get, so that they do not take each other's time.
//!
//! The server gets one on purpose: CPU time per request is then comparable between machines and
//! schemes, free of what threads pay to meet each other.

use std::collections::BTreeMap;
use std::io;

use engine::record::Placement;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// More than this the generator never needs to fill one processor of a server.
const MAX_GENERATOR_CPUS: usize = 4;

/// The processors may not be chosen.
#[derive(Debug, thiserror::Error)]
#[error("cannot pin the thread to the CPUs {cpus:?}: {source}; the kernel schedules it freely")]
pub struct PinError {
    /// The requested logical CPUs.
    pub cpus: Vec<u32>,
    /// Why.
    pub source: io::Error,
}

/// Returns the placement on this machine, with CPUs that this thread may use. Call it before any thread
/// is pinned: a pinned thread sees only its own CPUs.
#[must_use]
pub fn detect() -> Placement {
    let cpus = allowed();
    // Keeping a thread where it may already run changes nothing but shows whether it is permitted.
    match pin_current_thread(&cpus) {
        Ok(()) => place(&cores(&cpus)),
        Err(error) => unpinned(&error.source.to_string()),
    }
}

/// The placement on this machine, with the calling thread, which makes the load, and every thread that it starts from
/// now on kept on the generator's processors; and why they cannot be, if so.
#[must_use]
pub fn pin_generator() -> (Placement, Option<PinError>) {
    let placement = detect();
    match pin_current_thread(&placement.generator_cpus) {
        Ok(()) => (placement, None),
        Err(error) => (unpinned(&error.to_string()), Some(error)),
    }
}

/// Places the parts on `cores`: each a list of the logical processors that share one physical core.
///
/// | there is | server | store | generator |
/// | --- | --- | --- | --- |
/// | 1 processor | anywhere | anywhere | anywhere |
/// | 2 processors | first | first | second |
/// | 3 cores or more | first core | second core | all of the others, at most 4 processors |
/// | else 3 processors or more | first core | second core | what is left of both, at most 4 |
///
/// In the last row the generator loads the server's core and the store's equally, and does so
/// for the control as for every other scheme. The generator's class
/// is `SCHED_OTHER` until an open loop says otherwise.
#[must_use]
pub fn place(cores: &[Vec<u32>]) -> Placement {
    match (cores, interleave_cores(cores).as_slice()) {
        (_, [] | [_]) => unpinned("there is only one CPU"),
        (_, &[shared, generator]) => pinned(shared, shared, &[generator]),
        ([server, store, others @ ..], _) if !others.is_empty() => pinned(server[0], store[0], &others.concat()),
        (_, &[server, store, ref others @ ..]) => pinned(server, store, others),
    }
}

/// Returns the CPUs in an order in which neighbours are on different cores, as far as possible.
fn interleave_cores(cores: &[Vec<u32>]) -> Vec<u32> {
    let widest = cores.iter().map(Vec::len).max().unwrap_or(0);
    (0..widest).flat_map(|thread| cores.iter().filter_map(move |core| core.get(thread))).copied().collect()
}

fn pinned(server: u32, store: u32, others: &[u32]) -> Placement {
    Placement {
        method: "sched_setaffinity".to_owned(),
        server_cpus: vec![server],
        store_cpus: vec![store],
        generator_cpus: others.iter().copied().take(MAX_GENERATOR_CPUS).collect(),
        generator_class: engine::clock::SchedulingClass::Other.to_string(),
    }
}

fn unpinned(reason: &str) -> Placement {
    Placement {
        method: format!("none: {reason}"),
        generator_class: engine::clock::SchedulingClass::Other.to_string(),
        ..Placement::default()
    }
}

/// The logical processors that the calling thread may use, in ascending order.
#[must_use]
pub fn allowed() -> Vec<u32> {
    allowed_to(0)
}

/// Those that this process may use, or with 0 the calling thread; none where that is not to be known.
#[must_use]
pub fn allowed_to(pid: u32) -> Vec<u32> {
    // There are more CPUs than the set can hold: then it contains as many as it can.
    let set = sched_getaffinity(Pid::from_raw(pid.cast_signed())).unwrap_or_default();
    (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).map(|cpu| cpu as u32).collect()
}

/// Keeps the calling thread, and every thread it starts from now on, on these processors. An empty
/// list leaves it as it is.
pub fn pin_current_thread(cpus: &[u32]) -> Result<(), PinError> {
    if cpus.is_empty() {
        return Ok(());
    }
    let pin = |set: CpuSet| Ok(sched_setaffinity(Pid::from_raw(0), &set)?);
    cpu_set(cpus).and_then(pin).map_err(|source| PinError { cpus: cpus.to_owned(), source })
}

pub(crate) fn cpu_set(cpus: &[u32]) -> io::Result<CpuSet> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu as usize)?;
    }
    Ok(set)
}

/// Groups CPUs by the physical core they share; each alone where the kernel does not report it.
#[must_use]
pub fn cores(cpus: &[u32]) -> Vec<Vec<u32>> {
    let mut cores = BTreeMap::<u32, Vec<u32>>::new();
    for &cpu in cpus {
        cores.entry(first_sibling(cpu).unwrap_or(cpu)).or_default().push(cpu);
    }
    cores.into_values().collect()
}

/// The lowest number among the processors that share a core with this one: the list is like `0-1` or `0,4`.
fn first_sibling(cpu: u32) -> Option<u32> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    let list = std::fs::read_to_string(path).ok()?;
    list.trim().split(['-', ',']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign_cpus(cores: &[&[u32]]) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let placement = place(&cores.iter().map(|core| core.to_vec()).collect::<Vec<_>>());
        assert_eq!(placement.method, "sched_setaffinity");
        (placement.server_cpus, placement.store_cpus, placement.generator_cpus)
    }

    #[test]
    fn single_cpu_is_not_pinned() {
        let placement = place(&[vec![3]]);
        assert_eq!(placement.method, "none: there is only one CPU");
        assert!(placement.server_cpus.is_empty() && placement.generator_cpus.is_empty());
    }

    #[test]
    fn components_get_dedicated_cpus_as_far_as_available() {
        for (cores, expected) in [
            (&[&[0][..], &[1]][..], (vec![0], vec![0], vec![1])),
            (&[&[4, 5]], (vec![4], vec![4], vec![5])),
            (&[&[0], &[1], &[2]], (vec![0], vec![1], vec![2])),
            (&[&[0, 1], &[2, 3]], (vec![0], vec![2], vec![1, 3])),
            (&[&[0], &[1], &[2], &[3]], (vec![0], vec![1], vec![2, 3])),
            (&[&[0, 4], &[1, 5], &[2, 6], &[3, 7]], (vec![0], vec![1], vec![2, 6, 3, 7])),
            (&[&[0], &[1], &[2], &[3], &[4], &[5], &[6], &[7]], (vec![0], vec![1], vec![2, 3, 4, 5])),
        ] {
            assert_eq!(assign_cpus(cores), expected, "{cores:?}");
        }
    }

    #[test]
    fn pinning_affects_only_the_calling_thread() {
        let before = allowed();
        let last = *before.last().unwrap();
        let seen = std::thread::spawn(move || {
            pin_current_thread(&[last]).unwrap();
            allowed()
        });
        assert_eq!(seen.join().unwrap(), [last]);
        assert_eq!(allowed(), before);
    }

    #[test]
    fn nonexistent_cpu_is_rejected() {
        let error = pin_current_thread(&[1000]).unwrap_err().to_string();
        assert!(error.contains("[1000]"), "{error}");
    }
}
