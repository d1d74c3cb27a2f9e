//! Permissions that the kernel grants: CPU affinity, real-time priority and CPU quotas.

use engine::clock::SchedulingClass;
use engine::experiment::Need;
use engine::record::Placement;
use lab::cpu_quota::{CpuQuotas, NoCpuQuotas};

use super::finding::Assessment;

pub(super) fn pinning(placement: &Placement, cpus: u32) -> Assessment {
    if !placement.server_cpus.is_empty() {
        let list = |cpus: &[u32]| cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ");
        let (server, store) = (list(&placement.server_cpus), list(&placement.store_cpus));
        let observation =
            format!("server on {server}, store on {store}, generator on {}", list(&placement.generator_cpus));
        return Assessment::good(observation, "each process stays on its processors");
    }
    let observation = placement.method.trim_start_matches("none: ");
    let effect = "the kernel moves server, store and generator between processors, where they compete for CPU time";
    let advice = if cpus == 1 {
        "use a machine with at least three cores"
    } else {
        "permit `sched_setaffinity` (a container's seccomp profile may forbid it)"
    };
    Assessment::limited(observation, effect, advice).of(Need::Timed)
}

pub(super) fn priority(class: SchedulingClass) -> Assessment {
    match class {
        SchedulingClass::Fifo => {
            Assessment::good("SCHED_FIFO is permitted", "the generator sends on time, regardless of other load on its CPUs")
        }
        SchedulingClass::Other => Assessment::limited(
            "SCHED_FIFO is not permitted",
            "another process on the generator's processors delays requests by milliseconds, which makes rounds invalid",
            "run as root; or add `<user> - rtprio 1` to /etc/security/limits.conf and log in again (`ulimit -r` then prints \
             1); or, after every build, run `sudo setcap cap_sys_nice+ep` on authbench; a container needs \
             `--cap-add SYS_NICE`",
        )
        .of(Need::Paced),
    }
}

pub(super) fn cpu_quotas(cpu_quotas: Result<CpuQuotas, NoCpuQuotas>) -> Assessment {
    match cpu_quotas {
        Ok(cpu_quotas) => Assessment::good(cpu_quotas.method(), "nodes and store can be given CPU quotas"),
        Err(NoCpuQuotas { reasons }) => Assessment::missing(
            reasons,
            "no node can be given a CPU quota: `scaling` measures one node, and estimates the capacity of more from it",
            "run as root, or in a delegated control group: `systemd-run --user --scope -p Delegate=yes authbench compare …`, \
             which needs a systemd user manager (`loginctl enable-linger` starts one); a container needs write access to \
             /sys/fs/cgroup",
        )
        .of(Need::CpuQuotas),
    }
}

#[cfg(test)]
mod tests {
    use engine::record::ScalingExperiment;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn pinning_lists_the_processors_of_each_process() {
        let (one, two) = (lab::placement::place(&[vec![0]]), lab::placement::place(&[vec![0], vec![1]]));
        assert_eq!(pinning(&two, 2).observation, "server on 0, store on 0, generator on 1");
        let alone = pinning(&one, 1);
        assert_eq!((alone.state, alone.observation.as_str()), (State::Limited, "there is only one CPU"));
        let refused = Placement { method: "none: not permitted".to_owned(), ..one };
        assert!(pinning(&refused, 4).advice.unwrap().contains("sched_setaffinity"));
    }

    #[test]
    fn missing_permission_comes_with_advice() {
        assert_eq!(priority(SchedulingClass::Fifo).state, State::Good);
        assert!(priority(SchedulingClass::Other).advice.unwrap().contains("rtprio"));
        let none = cpu_quotas(Err(NoCpuQuotas { reasons: "no control groups are mounted".to_owned() }));
        assert_eq!((none.state, none.experiments.as_slice()), (State::Missing, &[ScalingExperiment::EXPERIMENT][..]));
        assert!(none.observation.contains("no control groups") && none.advice.unwrap().contains("Delegate=yes"));
    }
}
