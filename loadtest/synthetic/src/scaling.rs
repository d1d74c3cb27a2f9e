//! The synthetic `scaling`.

use contract::StoreKind;
use engine::record::{QuotaSizes, ScalingExperiment, ScalingPoint, ServiceDemand, Step, Validity};

use super::{Noise, TRUTHS, Truth};

/// CPU quotas of a node and of the store.
const NODE_SHARE: f64 = 0.09;
const STORE_SHARE: f64 = 0.117;

pub(crate) fn scaling(noise: &mut Noise) -> ScalingExperiment {
    let mut points = Vec::new();
    for block in 0..6 {
        for truth in &TRUTHS {
            let steps = [1, 2, 3, 4, 6, 8].map(|nodes| Step::Nodes { nodes });
            let filled = (truth.store == StoreKind::Redis).then_some(Step::StoreFilled { nodes: 3 });
            points.extend(steps.into_iter().chain(filled).map(|step| scaling_point(truth, block, step, noise)));
        }
    }
    let slicing = QuotaSizes {
        method: "cgroup v2".to_owned(),
        node_share: NODE_SHARE,
        store_share: STORE_SHARE,
        balancer: None,
        generator_rps: 210_000.0,
        expected_rps: 110_769.0,
    };
    ScalingExperiment { slicing: Some(slicing), unsliced: None, demands: demands(noise), points }
}

/// Returns the same on a machine without CPU quotas.
pub(crate) fn scaling_without_quotas(noise: &mut Noise) -> ScalingExperiment {
    let unsliced = Some("no control groups are mounted".to_owned());
    ScalingExperiment { slicing: None, unsliced, demands: demands(noise), points: Vec::new() }
}

fn demands(noise: &mut Noise) -> Vec<ServiceDemand> {
    let visits = (0..6).flat_map(|block| TRUTHS.iter().map(move |truth| (block, truth)));
    let demand = |(block, truth): (u32, &Truth)| ServiceDemand {
        scheme: truth.id.to_owned(),
        block,
        started_at: format!("2026-11-22T10:{:02}:10Z", 15 + block),
        requests: (truth.capacity_rps() * 0.5) as u64,
        server_us: truth.server_us * noise.factor(0.01),
        store_us: (truth.store == StoreKind::Redis).then(|| truth.store_us * noise.factor(0.01)),
        balancer_us: None,
        generator_us: 4.0,
        validity: Validity::from_reasons(Vec::new()),
    };
    visits.map(demand).collect()
}

fn scaling_point(truth: &Truth, block: u32, step: Step, noise: &mut Noise) -> ScalingPoint {
    let store = truth.store == StoreKind::Redis;
    let node_rps = NODE_SHARE * 1e6 / truth.server_us;
    let store_rps = if store { STORE_SHARE * 1e6 / truth.store_us } else { f64::INFINITY };
    let nodes = if let Step::Nodes { nodes } = step { nodes } else { 0 };
    let together = if nodes > 0 { f64::from(nodes) * node_rps } else { f64::INFINITY };
    let rps = together.min(store_rps) * noise.factor(0.01);
    ScalingPoint {
        scheme: truth.id.to_owned(),
        block,
        started_at: format!("2026-11-22T10:{:02}:30Z", 15 + block),
        step,
        rps,
        requests: (rps * 0.5) as u64,
        nodes_us: truth.server_us * noise.factor(0.01),
        store_us: store.then(|| truth.store_us * noise.factor(0.01)),
        balancer_us: None,
        generator_share: rps / 210_000.0,
        nodes_full: vec![if nodes > 0 { (store_rps / together).min(1.0) } else { 0.0 }; nodes.max(1) as usize],
        store_full: store.then_some((together / store_rps).min(1.0)),
        balancer_full: None,
        validity: Validity::from_reasons(Vec::new()),
    }
}
