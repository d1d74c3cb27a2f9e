//! Evidence of the synthetic requests across several servers, and of key and token rotation.

use engine::record::{FanoutExperiment, KeyDistribution, Record, RotationExperiment, Round};
use evidence::{Evidence, FanoutRow, KeyRotationRow, RejectedFor, RotationTable, Warning};
use synthetic::check::{assert_near, invalid, of};

fn fanout_row(evidence: &Evidence, scheme: &str) -> FanoutRow {
    let rows = &evidence.fanout.as_ref().unwrap().rows;
    rows.iter().find(|row| row.scheme == scheme).unwrap().clone()
}

#[test]
fn cost_per_hop_matches_the_truth() {
    let evidence = of(&synthetic::compare());
    for (scheme, per_hop_us, over_us) in
        [("session-redis", 16.0, 9.5), ("session-redis-pool", 42.1, 35.6), ("jwt-eddsa", 40.1, 33.6)]
    {
        let row = fanout_row(&evidence, scheme);
        assert_eq!(row.by_hops.iter().map(|figures| figures.hops).collect::<Vec<_>>(), [1, 3, 10]);
        let (slope, over) = (row.cpu_slope_us.unwrap(), row.cpu_slope_over_control_us.unwrap());
        assert_near(slope.value, per_hop_us, per_hop_us * 0.04);
        assert_near(over.value, over_us, per_hop_us * 0.04);
        assert!(over.interval.unwrap().contains(over.value) && over.interval.unwrap().low > 0.0, "{over:?}");
    }
    let control = fanout_row(&evidence, "anonymous");
    assert_near(control.cpu_slope_us.unwrap().value, 6.5, 0.3);
    assert_eq!(control.cpu_slope_over_control_us, None);
}

#[test]
fn round_trips_per_hop_match_the_truth() {
    let evidence = of(&synthetic::compare());
    // One to the next server, and those to the store.
    for (scheme, truth) in [("jwt-hs256", 1.0), ("session-redis", 2.0), ("session-redis-pool", 3.0)] {
        let row = fanout_row(&evidence, scheme);
        let delayed = row.delayed.unwrap();
        assert_eq!((delayed.link_rtt_us, delayed.measured_rtt_us), (1_000, Some(1_010.0)));
        let round_trips = delayed.round_trips.unwrap();
        assert_near(round_trips.value, truth, 0.03);
        assert!(round_trips.interval.unwrap().contains(round_trips.value), "{scheme}");
        for figures in &row.by_hops {
            let [local, delayed] =
                [&figures.response, &figures.delayed].map(|times| times.as_ref().unwrap().response.quantiles.p50);
            let least_us = 1_010.0 * truth * f64::from(figures.hops);
            assert!(
                (delayed.unwrap() - local.unwrap()) as f64 > least_us * 0.95,
                "{scheme} over {} hops",
                figures.hops
            );
        }
    }
    assert_eq!(fanout_row(&evidence, "anonymous").delayed.unwrap().round_trips, None, "it is the measure");
}

fn third_block(record: &mut Record) -> impl Iterator<Item = &mut Round> {
    let rounds = record.data_mut::<FanoutExperiment>().unwrap().rounds.iter_mut().map(|each| &mut each.round);
    rounds.filter(|round| round.block == 2)
}

#[test]
fn invalid_rounds_do_not_change_a_slope() {
    let mut record = synthetic::compare();
    third_block(&mut record).for_each(|round| round.validity = invalid());
    let without = fanout_row(&of(&record), "session-redis");
    third_block(&mut record).for_each(|round| round.usage.as_mut().unwrap().server_cpu_ns *= 9);
    assert_eq!(fanout_row(&of(&record), "session-redis").cpu_slope_us, without.cpu_slope_us);
}

/// Returns the evidence of the synthetic rotation after a change.
fn rotated(change: impl FnOnce(&mut RotationExperiment)) -> (RotationTable, Vec<Warning>) {
    let mut record = synthetic::compare();
    change(record.data_mut().unwrap());
    let evidence = of(&record);
    (evidence.rotation.unwrap(), evidence.warnings)
}

fn key_rotation_row(table: &RotationTable, scheme: &str, learning: KeyDistribution) -> KeyRotationRow {
    table.key_rotations.iter().find(|row| row.scheme == scheme && row.learning == learning).unwrap().clone()
}

#[test]
fn key_rotation_reports_rejections_and_their_duration() {
    let (table, _) = rotated(|_| {});
    let never = key_rotation_row(&table, "jwt-eddsa", KeyDistribution::Never);
    assert_eq!((never.rotations, never.other_new.sent, never.other_new.rejected), (2, 400, 400));
    assert_eq!(
        (never.first.sent, never.first.rejected, never.other_old.sent, never.other_old.rejected),
        (1_200, 0, 400, 0)
    );
    assert_eq!(never.rejected_for, RejectedFor::UntilEnd(1.2), "nothing was accepted later");
    let published = key_rotation_row(&table, "jwt-eddsa", KeyDistribution::Published);
    assert_eq!((published.other_new.rejected, published.slowest_us), (3, Some(900)));
    assert_eq!(published.rejected_for, RejectedFor::Seconds(0.3), "the longest of both rotations");
    let order: Vec<&str> = table.key_rotations.iter().map(|row| row.scheme.as_str()).collect();
    assert_eq!(order, ["jwt-hs256", "jwt-eddsa", "jwt-eddsa"]);
    let (table, _) = rotated(|rotation| rotation.rolls[0].presented[5].last_accepted_s = Some(0.1));
    let sooner = key_rotation_row(&table, "jwt-hs256", KeyDistribution::Never).rejected_for;
    assert_eq!(sooner, RejectedFor::UntilEnd(1.2), "what was accepted before the last rejection ends nothing");
    let (table, _) = rotated(|rotation| rotation.rolls.retain(|roll| roll.block == 0));
    assert_eq!(key_rotation_row(&table, "jwt-eddsa", KeyDistribution::Published).rejected_for, RejectedFor::Never);
}

#[test]
fn races_without_revocation_have_an_interval() {
    let (table, _) = rotated(|_| {});
    let (revoked, kept) = (&table.races[0], &table.races[3]);
    assert_eq!((revoked.grace_s, revoked.clients, revoked.revoked), (0, 2, 400));
    assert_near(revoked.revoked_ppm, 1e6, 1e-6);
    assert_near(revoked.granted, 1.0, 1e-9);
    assert_near(revoked.interval_ppm.low, 1e6 - 9_512.3, 0.1);
    assert_eq!((kept.grace_s, kept.clients, kept.revoked), (5, 8, 0));
    assert_near(kept.interval_ppm.high, 9_512.3, 0.1);
    assert_near(kept.granted, 8.0, 1e-9);
    assert_eq!(table.refreshing_scheme.as_deref(), Some("jwt-hs256-refresh"));
    let (table, _) = rotated(|rotation| rotation.races[0].families = 0);
    assert_eq!(table.races.len(), 3, "of no family nothing is said");
}

#[test]
fn refresh_burst_is_the_peak_over_the_mean() {
    let (table, _) = rotated(|_| {});
    let [even, wide] = &table.refresh_bursts[..] else { panic!("two jitters: {:?}", table.refresh_bursts) };
    // All in 5 of 40 bins; with jitter in 20, then in 30 and 40.
    assert_near(even.peak_over_mean, 8.0, 1e-9);
    assert_near(even.without_jitter, 8.0, 1e-9);
    assert_near(wide.peak_over_mean, 2.0, 1e-9);
    let by_period: Vec<f64> = wide.by_period.iter().map(|ratio| (ratio * 100.0).round() / 100.0).collect();
    assert_eq!(by_period.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2", "1.33", "1"]);
    assert!(!even.supported, "9,000 refreshes have 90 above their 99th percentile");
}

#[test]
fn invalid_measurements_are_excluded_and_reported() {
    let (table, warnings) = rotated(|rotation| {
        rotation.rolls[0].validity = invalid();
        rotation.races[0].validity = invalid();
        rotation.replays[0].validity = invalid();
        rotation.storms[0].validity = invalid();
    });
    assert_eq!(key_rotation_row(&table, "jwt-hs256", KeyDistribution::Never).rotations, 1);
    assert_eq!((table.races.len(), table.replays.len(), table.refresh_bursts.len()), (3, 4, 1));
    let reported: Vec<String> =
        warnings.iter().map(ToString::to_string).filter(|text| text.contains("invalid on purpose")).collect();
    let [reported] = &reported[..] else { panic!("one caveat for one reason: {reported:?}") };
    for part in ["the key rotation of jwt-hs256, not published", "races of 2 clients", "copies 0 s old", "jitter 0.2"] {
        assert!(reported.contains(part), "{part}: {reported}");
    }
}
