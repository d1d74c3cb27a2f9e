//! `scaling`.

use engine::record::{ScalingExperiment, Step};
use experiments::Balancer;
use lab::cpu_quota::CpuQuotas;

use crate::testbed::{
    SCHEMES, check_descriptions, measure, measure_behind, measure_with, measure_without_quotas, only,
    smallest_parameters,
};

/// Returns the cgroup backend; none if the machine has none, which another test covers. With `REQUIRE_CPU_QUOTAS` it
/// must have one.
fn cpu_quotas() -> Option<CpuQuotas> {
    let cpu_quotas = CpuQuotas::detect();
    if let Err(none) = &cpu_quotas {
        assert!(std::env::var_os("REQUIRE_CPU_QUOTAS").is_none(), "{none}");
        eprintln!("{none}");
    }
    cpu_quotas.ok()
}

#[test]
fn scaling_sets_quotas_and_reports_saturated_processes() {
    let Some(cpu_quotas) = cpu_quotas() else { return };
    let record = measure(ScalingExperiment::EXPERIMENT);
    let scaling = only::<ScalingExperiment>(&record);
    let slicing = scaling.slicing.as_ref().unwrap();
    assert_eq!((&scaling.unsliced, slicing.method.as_str()), (&None, cpu_quotas.method()));
    assert!(slicing.node_share > 0.0 && slicing.node_share < 1.0 && slicing.store_share > 0.0, "{slicing:?}");
    assert_eq!(scaling.demands.len(), SCHEMES.len() * 3, "what the slices were cut by is kept");
    assert!(slicing.expected_rps <= slicing.generator_rps * 0.6 * 1.001, "room is left to the generator: {slicing:?}");
    for scheme in SCHEMES {
        let points: Vec<_> = scaling.points.iter().filter(|point| point.scheme == scheme).collect();
        let store = scheme == "session-redis";
        assert_eq!(points.len(), if store { 3 } else { 2 }, "{points:?}");
        for point in points {
            let (Step::Nodes { nodes } | Step::StoreFilled { nodes }) = point.step;
            assert_eq!(point.nodes_full.len(), nodes as usize, "{point:?}");
            let in_the_way = point.nodes_full.iter().any(|share| *share > 0.5);
            assert!(
                !in_the_way || matches!(point.step, Step::Nodes { .. }),
                "nodes that saturate the store have no quota: {point:?}"
            );
            let failed = point.validity.reasons.iter().find(|reason| reason.contains("failed"));
            assert_eq!(failed, None, "a node accepts credentials issued by another");
            assert!(point.requests > 0 && point.rps > 0.0 && point.nodes_us > 0.0, "{point:?}");
            assert_eq!((point.store_us.is_some(), point.store_full.is_some()), (store, store), "{point:?}");
        }
    }
}

/// A `PostgreSQL` with a quota of a twentieth of a processor opens no connection within a server's timeout: the
/// experiment used to fail there. Later problems of such a store are covered by the validity of the rounds.
#[test]
fn scaling_sets_quotas_after_nodes_and_stores_have_started() {
    let Some(_) = cpu_quotas() else { return };
    let mut parameters = smallest_parameters();
    parameters.scaling.nodes = vec![1, 16];
    let record = measure_with(ScalingExperiment::EXPERIMENT, &["anonymous", "session-postgres"], &parameters);
    let scaling = only::<ScalingExperiment>(&record);
    let share = scaling.slicing.as_ref().unwrap().store_share;
    assert!(share < 0.06, "this test needs small quotas: {share}");
    assert_eq!(scaling.points.len(), 2 + 3, "one visit saturates the store");
}

#[test]
fn scaling_without_quotas_measures_one_node_and_records_the_omission() {
    let record = check_descriptions(
        measure_without_quotas(ScalingExperiment::EXPERIMENT, &SCHEMES, &smallest_parameters()),
        &SCHEMES,
    );
    let [omitted] = &record.omitted[..] else { panic!("{:?}", record.omitted) };
    assert_eq!(omitted.what, "scaling on more than one node");
    assert!(omitted.reason.contains("this is a test") && omitted.reason.contains("estimated"), "{}", omitted.reason);
    let scaling = only::<ScalingExperiment>(&record);
    assert!(scaling.slicing.is_none() && scaling.points.is_empty(), "{scaling:?}");
    assert!(scaling.unsliced.as_ref().unwrap().contains("this is a test"), "{scaling:?}");
    assert_eq!(scaling.demands.len(), SCHEMES.len() * smallest_parameters().scaling.blocks as usize);
    for demand in &scaling.demands {
        assert!(demand.requests > 0 && demand.server_us > 0.0 && demand.generator_us > 0.0, "{demand:?}");
        assert_eq!(demand.store_us.is_some_and(|us| us > 0.0), demand.scheme == "session-redis", "{demand:?}");
        assert_eq!(demand.balancer_us, None);
    }
}

/// A session in a server's memory is known to that server alone: it is found only if the balancer returns a client to
/// its node.
#[test]
fn scaling_with_a_balancer_reaches_every_node_and_measures_its_cpu_time() {
    let Some(_) = cpu_quotas() else { return };
    let schemes = ["anonymous", "session-memory", "session-redis"];
    let record = measure_behind(Balancer::Haproxy, ScalingExperiment::EXPERIMENT, &schemes, &smallest_parameters());
    let scaling = only::<ScalingExperiment>(&record);
    let balancer = scaling.slicing.as_ref().unwrap().balancer.as_ref().unwrap();
    assert_eq!(balancer.program, "haproxy");
    assert!(balancer.share > 0.0, "{balancer:?}");
    assert_eq!(scaling.points.len(), 3 * 2 + 1);
    for point in &scaling.points {
        let failed = point.validity.reasons.iter().find(|reason| reason.contains("failed"));
        assert_eq!(failed, None, "{point:?}");
        assert!(point.requests > 0 && point.balancer_us.unwrap() > 0.0 && point.balancer_full.is_some(), "{point:?}");
    }
}
