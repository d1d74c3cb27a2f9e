//! Throughput of several nodes, and the laws fitted to it: evidence of a record.

use engine::record::{Record, ScalingExperiment, ScalingPoint, Step};
use evidence::{Evidence, FIT_NODES, NoHeadline, Saturated, ScalingRow};
use synthetic::check::{assert_near, count_warnings, invalidate, of};

fn scaling_row<'a>(evidence: &'a Evidence, scheme: &str) -> &'a ScalingRow {
    evidence.scaling.as_ref().unwrap().rows.iter().find(|row| row.scheme == scheme).unwrap()
}

#[track_caller]
fn points_of(record: &mut Record) -> &mut Vec<ScalingPoint> {
    &mut record.data_mut::<ScalingExperiment>().unwrap().points
}

#[test]
fn bottleneck_law_fitted_on_few_nodes_predicts_more() {
    let evidence = of(&synthetic::compare());
    // One node's CPU quota divided by its CPU time per request, and the same for the store.
    let truths = [
        ("jwt-hs256", 10_465.0, None),
        ("session-redis", 7_031.0, Some(36_562.0)),
        ("session-redis-pool", 3_273.0, Some(8_014.0)),
    ];
    for (scheme, node_rps, store_rps) in truths {
        let row = scaling_row(&evidence, scheme);
        let law = row.law.unwrap();
        assert_near(law.node_rps, node_rps, node_rps * 0.02);
        assert_eq!(law.store_rps.is_some(), store_rps.is_some(), "{scheme}");
        assert_near(law.store_rps.unwrap_or(0.0), store_rps.unwrap_or(0.0), store_rps.unwrap_or(0.0) * 0.02);
        assert_near(
            row.saturated_store_rps.map_or(0.0, |found| found.value),
            store_rps.unwrap_or(0.0),
            store_rps.unwrap_or(0.0) * 0.02,
        );
        let unseen: Vec<u32> = row.predictions.iter().map(|prediction| prediction.nodes).collect();
        assert_eq!(unseen, [4, 6, 8], "{scheme}: not on what it was found on");
        assert!(row.predicts_unfitted_sizes(), "{scheme}: {:?}", row.predictions);
        let saturated: Vec<Saturated> = row.sizes.iter().map(|size| size.saturated).collect();
        let saturation_nodes = store_rps.map_or(8, |store| (store / node_rps) as usize);
        let of = |size: &evidence::ScalingSize| {
            if size.nodes as usize <= saturation_nodes { Saturated::Nodes } else { Saturated::Store }
        };
        for (size, saturated) in row.sizes.iter().zip(saturated) {
            assert!(
                saturated == of(size) || saturated == Saturated::Both,
                "{scheme} on {} nodes: {saturated:?}",
                size.nodes
            );
        }
    }
    let usl = scaling_row(&evidence, "jwt-hs256").usl.unwrap();
    assert!(usl.extrapolation.is_some() && usl.usl.sigma < 0.01 && usl.usl.kappa < 0.001, "linear: {usl:?}");
}

#[test]
fn law_that_fails_on_more_nodes_predicts_nothing_beyond() {
    let mut record = synthetic::compare();
    for point in points_of(&mut record).iter_mut().filter(|point| point.scheme == "jwt-hs256") {
        // From the fourth node on, something that neither CPU quota explains.
        if let Step::Nodes { nodes } = point.step {
            point.rps /= 1.0 + 0.05 * f64::from(nodes.saturating_sub(FIT_NODES));
        }
    }
    let evidence = of(&record);
    let row = scaling_row(&evidence, "jwt-hs256");
    assert_near(row.predictions[0].error(), 0.05, 0.02);
    assert_near(row.predictions[2].error(), 0.25, 0.03);
    assert!(!row.predicts_unfitted_sizes());
    assert!(scaling_row(&evidence, "session-redis").predicts_unfitted_sizes(), "the others are not touched");
}

#[test]
fn capacity_uses_valid_points_only_and_curves_need_enough_points() {
    let mut record = synthetic::compare();
    for point in points_of(&mut record).iter_mut().filter(|point| point.block == 0) {
        point.rps *= 3.0;
        invalidate(&mut point.validity);
    }
    let evidence = of(&record);
    let row = scaling_row(&evidence, "session-redis");
    assert_eq!((row.sizes[0].rounds.used, row.sizes[0].rounds.excluded), (5, 1));
    assert_near(row.sizes[0].rps.value, 7_031.0, 150.0);
    assert!(row.predicts_unfitted_sizes() && row.usl.is_some());

    points_of(&mut record).retain(|point| !matches!(point.step, Step::Nodes { nodes: 4.. }));
    let few = of(&record);
    let row = scaling_row(&few, "session-redis");
    assert!(row.usl.is_none(), "three numbers of nodes for three numbers of the law");
    assert!(!row.predicts_unfitted_sizes() && row.predictions.is_empty(), "an untested law predicts nothing");
}

#[test]
fn store_that_was_never_saturated_has_no_law() {
    let mut record = synthetic::compare();
    let points = points_of(&mut record).iter_mut().filter(|point| point.scheme == "session-redis");
    for point in points.filter(|point| matches!(point.step, Step::StoreFilled { .. })) {
        point.store_full = Some(0.5);
    }
    let evidence = of(&record);
    let row = scaling_row(&evidence, "session-redis");
    assert!(
        row.saturated_store_rps.is_none()
            && row.law.is_none()
            && row.predictions.is_empty()
            && row.extrapolation().is_none()
    );
    assert!(
        scaling_row(&evidence, "session-redis-pool").law.is_some() && scaling_row(&evidence, "jwt-hs256").law.is_some()
    );
}

/// The synthetic comparison without its other experiments.
fn only_scaling() -> Record {
    let mut record = synthetic::compare();
    record.experiments.retain(|measured| measured.experiment() == ScalingExperiment::EXPERIMENT);
    record
}

/// Changes what is sustained with more than one node of these schemes.
fn slow_down(record: &mut Record, factor: f64, schemes: &[&str]) {
    for point in points_of(record).iter_mut().filter(|point| schemes.contains(&point.scheme.as_str())) {
        if matches!(point.step, Step::Nodes { nodes: 2.. }) {
            point.rps *= factor;
        }
    }
}

fn never_saturated(record: &mut Record, scheme: &str) {
    for point in points_of(record).iter_mut().filter(|point| point.scheme == scheme) {
        point.nodes_full.fill(0.4);
        point.store_full = point.store_full.map(|_| 0.3);
    }
}

fn headline(evidence: &Evidence) -> Vec<&str> {
    evidence.scaling.as_ref().unwrap().headline().into_iter().map(|(row, _)| row.scheme.as_str()).collect()
}

/// Returns why schemes have no headline, which the caveats report too.
fn no_headline(evidence: &Evidence) -> Vec<NoHeadline> {
    let why = evidence.scaling.as_ref().unwrap().no_headline();
    for each in &why {
        assert_eq!(count_warnings(evidence, &[&format!("scaling: {each}")]), 1, "{:?}", evidence.warnings);
    }
    why
}

#[test]
fn no_scheme_has_a_headline_if_the_control_did_not_scale() {
    let mut record = only_scaling();
    let good = of(&record);
    assert_eq!(headline(&good), ["session-redis", "session-redis-pool", "jwt-hs256", "jwt-eddsa"]);
    assert!(no_headline(&good).is_empty());

    slow_down(&mut record, 0.9, &["anonymous"]);
    assert_eq!(headline(&of(&record)).len(), 4, "a little less is noise");

    slow_down(&mut record, 0.7, &["anonymous"]);
    let disturbed = of(&record);
    assert!(headline(&disturbed).is_empty());
    let [NoHeadline::ControlNotLinear { nodes: 8, times: Some(times) }] = no_headline(&disturbed)[..] else {
        panic!("{:?}", disturbed.warnings)
    };
    assert_near(times, 8.0 * 0.9 * 0.7, 0.2);

    points_of(&mut record).iter_mut().filter(|point| point.scheme == "anonymous").for_each(|point| {
        invalidate(&mut point.validity);
    });
    let unknown = of(&record);
    assert!(headline(&unknown).is_empty());
    assert_eq!(no_headline(&unknown), [NoHeadline::ControlNotLinear { nodes: 8, times: None }]);
}

#[test]
fn scheme_without_a_saturated_quota_is_not_in_the_headline() {
    let mut record = only_scaling();
    never_saturated(&mut record, "jwt-hs256");
    let evidence = of(&record);
    assert_eq!(headline(&evidence), ["session-redis", "session-redis-pool", "jwt-eddsa"]);
    assert_eq!(no_headline(&evidence), [NoHeadline::NeverSaturated { schemes: vec!["jwt-hs256".to_owned()] }]);

    for scheme in ["session-redis", "session-redis-pool", "jwt-eddsa"] {
        never_saturated(&mut record, scheme);
    }
    assert!(headline(&of(&record)).is_empty());
}

/// A curve over a few skewed blocks: the law of the medians differs from that of most resamples.
#[test]
fn law_parameters_are_inside_their_intervals() {
    for seed in 0..20 {
        let mut record = only_scaling();
        for point in points_of(&mut record).iter_mut().filter(|point| point.scheme == "jwt-hs256") {
            let Step::Nodes { nodes } = point.step else { continue };
            let chance = (seed * 7919 + point.block * 104_729 + nodes * 1_299_709) % 1000;
            // Most rounds are good; some are slower by up to a half, and more with more nodes.
            let slower = if chance % 3 == 0 { f64::from(chance) / 2000.0 * f64::from(nodes) / 8.0 } else { 0.0 };
            point.rps *= (1.0 - slower) / (1.0 + 0.02 * f64::from(nodes * (nodes - 1)));
        }
        let evidence = of(&record);
        let fit = scaling_row(&evidence, "jwt-hs256").usl.unwrap();
        assert!(fit.sigma.contains(fit.usl.sigma), "seed {seed}: {fit:?}");
        assert!(fit.kappa.contains(fit.usl.kappa), "seed {seed}: {fit:?}");
    }
}

#[test]
fn without_quotas_scaling_is_estimated_from_the_cost_per_request() {
    let mut record = synthetic::compare();
    *record.data_mut::<ScalingExperiment>().unwrap() = synthetic::scaling_without_quotas();
    let demands = |record: &Record| of(record).scaling.unwrap().demands;
    // Microseconds per request in server and store.
    let truths = [
        ("anonymous", 6.5, None),
        ("session-redis", 12.8, Some(3.2)),
        ("session-redis-pool", 27.5, Some(14.6)),
        ("jwt-hs256", 8.6, None),
    ];
    for (scheme, server_us, store_us) in truths {
        let found = demands(&record);
        let row = found.iter().find(|row| row.scheme == scheme).unwrap();
        assert_near(row.server_us.value, server_us, server_us * 0.02);
        assert!(row.server_us.interval.is_some(), "{scheme}: six rounds bear one");
        let law = row.law();
        assert_near(law.node_rps, 1e6 / server_us, 1e6 / server_us * 0.02);
        assert_eq!(law.saturation_nodes().is_some(), store_us.is_some(), "{scheme}");
        assert_near(law.saturation_nodes().unwrap_or(0.0), store_us.map_or(0.0, |us| server_us / us), 0.1);
        assert_near(row.rps_per_cpu(), 1e6 / (server_us + store_us.unwrap_or(0.0)), 2_000.0);
    }

    let mut invalidate_blocks = |scheme: &str, blocks: std::ops::Range<u32>| {
        let scaling = record.data_mut::<ScalingExperiment>().unwrap();
        let of_scheme = scaling.demands.iter_mut().filter(|demand| demand.scheme == scheme);
        for demand in of_scheme.filter(|demand| blocks.contains(&demand.block)) {
            demand.server_us *= 100.0;
            invalidate(&mut demand.validity);
        }
    };
    invalidate_blocks("anonymous", 0..3);
    invalidate_blocks("jwt-hs256", 0..6);
    let found = demands(&record);
    assert_eq!((found[0].rounds.used, found[0].rounds.excluded), (3, 3));
    assert_near(found[0].server_us.value, 6.5, 0.2);
    assert!(found.iter().all(|row| row.scheme != "jwt-hs256"), "no row without a valid round");
    assert!(of(&record).warnings.iter().any(|warning| warning.to_string().contains("unrestricted CPU")));
}

#[test]
fn run_that_ended_before_its_quotas_were_set_has_no_estimate() {
    let mut record = synthetic::compare();
    let scaling = record.data_mut::<ScalingExperiment>().unwrap();
    *scaling = ScalingExperiment { unsliced: None, ..synthetic::scaling_without_quotas() };
    assert!(of(&record).scaling.is_none());
}
