//! Evidence of a record: estimates match the known truth, and excluded data have no effect.

use engine::record::{
    CostExperiment, EncodedHistogram, LatencyExperiment, Load, LoadExperiment, MemoryExperiment, Record, Round,
    RttExperiment, Status,
};
use evidence::{CostRow, Evidence, LatencyRow, Part, SlopeBasis, Topic};
use synthetic::check::{assert_near, count_warnings, invalidate, of};

fn cost_row<'a>(evidence: &'a Evidence, scheme: &str) -> &'a CostRow {
    evidence.cost.as_ref().unwrap().rows.iter().find(|row| row.scheme == scheme).unwrap()
}

fn cost_rounds(record: &mut Record) -> &mut Vec<Round> {
    &mut record.data_mut::<CostExperiment>().unwrap().rounds
}

fn latency_rounds(record: &mut Record) -> &mut Vec<Round> {
    &mut record.data_mut::<LatencyExperiment>().unwrap().rounds
}

#[test]
fn cost_over_control_matches_the_truth() {
    let evidence = of(&synthetic::compare());
    let truths = [
        ("jwt-hs256", 2.1, 0.0),
        ("jwt-eddsa", 33.6, 0.0),
        ("session-redis", 6.3, 3.2),
        ("session-redis-pool", 21.0, 14.6),
    ];
    for (scheme, server_us, store_us) in truths {
        let over = cost_row(&evidence, scheme).over_control.unwrap();
        let (server, total) = (over.server_us, over.total_us.unwrap());
        assert!(server.interval.unwrap().contains(server_us), "{scheme}: {server:?}");
        assert!(total.interval.unwrap().contains(server_us + store_us), "{scheme}: {total:?}");
        assert_near(over.store_us.unwrap().value, store_us, 0.5);
        assert_near(over.ratio.unwrap().value, (6.5 + server_us + store_us) / 6.5, 0.1);
    }
    assert!(cost_row(&evidence, "anonymous").over_control.is_none());
}

#[test]
fn invalid_round_is_counted_and_excluded() {
    let record = synthetic::compare();
    let before = of(&record);
    let row = cost_row(&before, "session-redis");
    assert_eq!((row.rounds.used, row.rounds.excluded), (7, 1));
    let mut worse = record.clone();
    let invalidated = cost_rounds(&mut worse).iter_mut().find(|round| !round.validity.valid).unwrap();
    invalidated.usage.as_mut().unwrap().server_cpu_ns *= 100;
    invalidated.achieved_rps = 1.0;
    let after = of(&worse);
    assert_eq!(cost_row(&after, "session-redis").over_control, row.over_control);
    assert_eq!(cost_row(&after, "session-redis").capacity, row.capacity);
}

#[test]
fn pairs_are_formed_within_a_block_only() {
    let mut record = synthetic::compare();
    // Every block is slower than the one before: a difference across blocks would show it.
    for round in cost_rounds(&mut record) {
        let drift_ns = u64::from(round.block) * 50_000 * round.usage.as_ref().unwrap().requests;
        round.usage.as_mut().unwrap().server_cpu_ns += drift_ns;
    }
    let over = cost_row(&of(&record), "jwt-hs256").over_control.unwrap();
    assert_near(over.server_us.value, 2.1, 0.2);
}

#[test]
fn no_valid_control_gives_no_difference() {
    let mut record = synthetic::compare();
    for round in cost_rounds(&mut record).iter_mut().filter(|round| round.scheme == "anonymous") {
        invalidate(&mut round.validity);
    }
    let evidence = of(&record);
    assert!(evidence.cost.as_ref().unwrap().differences().next().is_none());
    assert!(cost_row(&evidence, "jwt-hs256").server_us.is_some());
    assert_eq!(count_warnings(&evidence, &["cost: the control has no valid figures"]), 1);
}

#[test]
fn unobserved_store_has_no_cost_instead_of_zero() {
    let mut record = synthetic::compare();
    for round in cost_rounds(&mut record).iter_mut().filter(|round| round.scheme == "session-redis") {
        round.usage.as_mut().unwrap().store_cpu_ns = None;
    }
    let evidence = of(&record);
    let over = cost_row(&evidence, "session-redis").over_control.unwrap();
    assert_eq!((over.store_us, over.total_us, over.ratio), (None, None, None));
    assert_eq!(count_warnings(&evidence, &["The store of session-redis could not be observed"]), 1);
}

#[test]
fn store_commands_match_the_counts() {
    let evidence = of(&synthetic::compare());
    let commands = &cost_row(&evidence, "session-redis-pool").store_commands;
    assert_eq!(commands.keys().collect::<Vec<_>>(), ["GET", "PING", "UNWATCH"]);
    for each in commands.values() {
        assert_near(*each, 1.0, 1e-9);
    }
    assert!(cost_row(&evidence, "jwt-hs256").store_commands.is_empty());
}

#[test]
fn saturated_part_is_found_from_cpu_usage() {
    let mut record = synthetic::compare();
    let capacity = |record: &Record, scheme: &str| cost_row(&of(record), scheme).capacity.clone().unwrap();
    let server_bound = capacity(&record, "jwt-eddsa");
    assert_eq!((server_bound.saturated.clone(), server_bound.is_lower_bound()), (vec![Part::Server], false));
    // The generator's share of its own CPU grows until it is the saturated part.
    record.placement.store_cpus = vec![2];
    for round in cost_rounds(&mut record) {
        let usage = round.usage.as_mut().unwrap();
        usage.server_cpu_ns /= 2;
        usage.generator_cpu_ns = ((round.window.end_s - round.window.start_s) * 0.99e9) as u64;
    }
    let generator_bound = capacity(&record, "jwt-eddsa");
    assert_eq!((generator_bound.saturated.clone(), generator_bound.is_lower_bound()), (vec![Part::Generator], true));
    record.placement.generator_cpus = vec![0];
    let shared = capacity(&record, "jwt-eddsa");
    assert_eq!((shared.saturated.clone(), shared.shared), (vec![Part::Server, Part::Generator], true));
}

#[test]
fn percentiles_match_the_merged_window() {
    let record = synthetic::compare();
    let evidence = of(&record);
    let table = evidence.latency.as_ref().unwrap();
    assert_eq!(table.rows.len(), 15);
    for row in &table.rows {
        let whole = requests(&record, row);
        assert_eq!(row.response.quantiles.count, whole, "{} at {:?}", row.scheme, row.level);
        let slowest_of_warmup = 3.0 * 90.0;
        assert!((row.service.quantiles.p50.unwrap() as f64) < slowest_of_warmup, "warm-up is in {}", row.scheme);
    }
}

/// Returns the number of requests that the valid rounds of the row's place counted.
fn requests(record: &Record, row: &LatencyRow) -> u64 {
    let mut record = record.clone();
    let rounds = latency_rounds(&mut record);
    let own = rounds.iter().filter(|round| round.scheme == row.scheme && round.load == row.level.load);
    own.map(|round| round.response_us.count).sum()
}

#[test]
fn levels_and_schemes_are_in_order() {
    let evidence = of(&synthetic::compare());
    let rows = &evidence.latency.as_ref().unwrap().rows;
    assert_eq!(rows[0].level.load, Load::OfCapacity { fraction: 0.5 });
    assert_eq!(rows[2].level.load, Load::EqualRate { rate_rps: 4000.0 });
    let schemes: Vec<&str> = rows.iter().step_by(3).map(|row| row.scheme.as_str()).collect();
    assert_eq!(schemes, ["anonymous", "session-redis", "session-redis-pool", "jwt-hs256", "jwt-eddsa"]);
}

#[test]
fn memory_slope_matches_the_truth() {
    let evidence = of(&synthetic::compare());
    let row = evidence.memory.as_ref().unwrap().rows.iter().find(|row| row.scheme == "session-redis").unwrap();
    let slope = row.slope.as_ref().unwrap();
    assert_eq!((slope.basis, row.series), (SlopeBasis::BetweenSeries, 3));
    let (store, total) = (slope.store.unwrap(), slope.total.unwrap());
    assert!(store.interval.unwrap().contains(310.0), "{store:?}");
    assert_near(slope.server.value + store.value, total.value, 1e-6);
    assert_near(slope.fixed_bytes, 25.1e6, 0.1e6);
}

#[test]
fn three_population_sizes_give_no_slope() {
    let mut record = synthetic::compare();
    let memory = record.data_mut::<MemoryExperiment>().unwrap();
    let large = |point: &&mut engine::record::MemoryPoint| point.scheme == "session-redis" && point.population > 20_000;
    memory.points.iter_mut().filter(large).for_each(|point| invalidate(&mut point.validity));
    let evidence = of(&record);
    let row = evidence.memory.as_ref().unwrap().rows.iter().find(|row| row.scheme == "session-redis").unwrap();
    assert_eq!((row.slope.as_ref(), row.excluded, row.populations), (None, 6, 3));
    let words = ["no fill of session-redis has 4 valid population sizes (3 in total)"];
    assert_eq!(count_warnings(&evidence, &words), 1, "{:?}", evidence.warnings);
}

#[test]
fn wire_bytes_are_compared_at_equal_roles() {
    let evidence = of(&synthetic::compare());
    let over = |scheme: &str, roles: u16| {
        let rows = &evidence.wire.as_ref().unwrap().rows;
        rows.iter().find(|row| row.point.scheme == scheme && row.point.roles == roles).unwrap().request_over_control
    };
    assert_eq!((over("jwt-hs256", 10), over("session-redis", 100), over("anonymous", 0)), (Some(486), Some(67), None));
}

#[test]
fn damaged_histogram_is_an_error_with_its_place() {
    let mut record = synthetic::compare();
    let damaged: EncodedHistogram = serde_json::from_str("\"AAAA\"").unwrap();
    latency_rounds(&mut record)[0].intervals[1].service_us = damaged;
    let message = Evidence::of(&record).unwrap_err().to_string();
    assert!(message.contains("latency, scheme anonymous, block 0"), "{message}");
}

#[test]
fn round_with_inconsistent_percentiles_is_reported() {
    let mut record = synthetic::compare();
    latency_rounds(&mut record)[0].response_us.p99 = Some(1);
    assert_eq!(count_warnings(&of(&record), &["do not match its own histograms"]), 1);
}

#[test]
fn sound_record_gets_only_the_expected_warnings() {
    let evidence = of(&synthetic::compare());
    let invalid: Vec<(&str, u32)> =
        evidence.invalid_rounds.iter().map(|round| (round.place.scheme.as_str(), round.block)).collect();
    assert_eq!(invalid, [("session-redis", 3)]);
    let reported: Vec<String> = evidence.warnings.iter().map(ToString::to_string).collect();
    let expected = ["p99.99", "p99.9 ", "needs 6 valid rounds", "ran on this machine", "virtual machine"];
    for part in expected {
        assert!(reported.iter().any(|sentence| sentence.contains(part)), "{part} is missing in {reported:#?}");
    }
    assert_eq!(reported.len(), 5, "{reported:#?}");
}

#[test]
fn incomplete_record_gives_its_figures() {
    let mut record = synthetic::compare();
    record.experiments.truncate(1);
    cost_rounds(&mut record).truncate(7);
    record.run.status = Status::Incomplete { reason: "interrupted".to_owned() };
    let evidence = of(&record);
    let over = cost_row(&evidence, "session-redis").over_control.unwrap();
    assert_eq!((over.server_us.samples, over.server_us.interval), (2, None));
    assert_eq!(evidence.warnings[0].topic, Topic::Run);
    assert!(evidence.warnings[0].text.starts_with("The run is incomplete (interrupted)"));
    assert!(evidence.latency.is_none());
}

#[test]
fn timeline_shows_the_stall() {
    let evidence = of(&synthetic::load());
    let points = &evidence.load.as_ref().unwrap().timelines[0].points;
    assert_eq!(points.len(), 20);
    assert!(points[9].response_us_p99.unwrap() > 1_900_000, "{:?}", points[9]);
    assert!(points[9].service_us_p99.unwrap() < 1_000, "{:?}", points[9]);
    assert!(!points[0].in_window && points[1].in_window);
    let row = &evidence.load.as_ref().unwrap().latency.rows[0];
    assert_near(row.cpu.unwrap().server_us, 12.8, 1.0);
}

/// More intervals than a chart can show are merged by their histograms.
#[test]
fn long_load_has_merged_points_with_all_requests() {
    const INTERVALS: u32 = 2_200;
    const STALLED: u32 = 1_500;
    let length_s = f64::from(INTERVALS);
    let mut record = synthetic::load();
    let round = &mut record.data_mut::<LoadExperiment>().unwrap().rounds[0];
    let (like, stall) = (round.intervals[1].clone(), round.intervals[9].clone());
    round.intervals = (0..INTERVALS)
        .map(|second| {
            let like = if second == STALLED { &stall } else { &like };
            engine::record::Interval { start_s: f64::from(second), length_s: 1.0, ..like.clone() }
        })
        .collect();
    (round.plan.duration_s, round.window.start_s, round.window.end_s) = (length_s, 100.0, length_s);
    let evidence = of(&record);
    let line = &evidence.load.as_ref().unwrap().timelines[0];
    assert_eq!((line.intervals_per_point, line.points.len()), (3, 734));
    let requests = |of: &engine::record::Interval| of.response_us.decode().unwrap().len();
    let all = requests(&like) * u64::from(INTERVALS - 1) + requests(&stall);
    let shown: f64 = line.points.iter().map(|point| point.rate_rps * point.length_s).sum();
    assert_eq!(shown.round() as u64, all);
    let covered_s: f64 = line.points.iter().map(|point| point.length_s).sum();
    assert_near(covered_s, length_s, 1e-6);
    assert!(line.points.iter().all(|point| point.in_window == (point.start_s >= 100.0)), "none is on both sides");
    let slowest = line.points.iter().max_by_key(|point| point.response_us_p99).unwrap();
    assert!((slowest.start_s..slowest.start_s + slowest.length_s).contains(&f64::from(STALLED)), "{slowest:?}");
    let counted = evidence.load.as_ref().unwrap().latency.rows[0].response.quantiles.count;
    assert_eq!(counted, all - 100 * requests(&like));
}

#[test]
fn unsaturated_server_is_reported() {
    let mut record = synthetic::compare();
    for round in cost_rounds(&mut record).iter_mut().filter(|round| round.scheme == "jwt-eddsa") {
        round.usage.as_mut().unwrap().server_cpu_ns /= 3;
    }
    assert_eq!(count_warnings(&of(&record), &["No part was saturated at the capacity of jwt-eddsa:"]), 1);
}

#[test]
fn round_trips_and_crossovers_match_the_truth() {
    let evidence = of(&synthetic::compare());
    let table = evidence.rtt.as_ref().unwrap();
    let row = |scheme: &str| table.rows.iter().find(|row| row.scheme == scheme).unwrap();
    for (scheme, truth) in [("session-redis", 1.0), ("session-redis-pool", 2.0)] {
        let trips = row(scheme).round_trips.unwrap();
        assert_near(trips.value, truth, 0.02);
        let interval = trips.interval.unwrap();
        assert!(interval.contains(trips.value) && interval.high - interval.low < 0.05, "{scheme}: {trips:?}");
        let measured: Vec<Option<f64>> = row(scheme).distances.iter().map(|at| at.measured_rtt_us).collect();
        assert_eq!(measured, [None, Some(220.0), Some(1_020.0), Some(5_020.0)]);
        assert!(row(scheme).distances.iter().all(|at| at.cost.is_some() && at.response.is_some()));
    }
    assert!(row("jwt-hs256").round_trips.is_none() && row("jwt-hs256").distances.len() == 1);
    // Service takes 90 us, the server's CPU time and four times the store's: 115.6 against 130.1 us, over one trip.
    let at = |querying: &str, storeless: &str| {
        table.crossovers.iter().find(|each| each.querying == querying && each.storeless == storeless).unwrap().at
    };
    let eddsa = at("session-redis", "jwt-eddsa");
    assert_near(eddsa.rtt_us, 14.5, 6.0);
    let interval = eddsa.interval.unwrap();
    assert!(interval.contains(eddsa.rtt_us) && interval.low > 0.0 && interval.high < 30.0, "{eddsa:?}");
    let hs256 = at("session-redis", "jwt-hs256");
    assert!(hs256.rtt_us <= 0.0 && hs256.interval.unwrap().high <= 0.0, "never sooner: {hs256:?}");
    assert!(!table.crossovers.iter().any(|each| each.storeless == "anonymous"), "the control checks nothing");
}

fn rtt_rounds(record: &mut Record) -> impl Iterator<Item = &mut Round> {
    record.data_mut::<RttExperiment>().unwrap().rounds.iter_mut().map(|each| &mut each.round)
}

#[test]
fn invalid_rounds_do_not_change_a_crossover() {
    let mut record = synthetic::compare();
    let all_blocks = of(&record).rtt.unwrap().crossovers;
    for round in rtt_rounds(&mut record).filter(|round| round.block == 3) {
        invalidate(&mut round.validity);
    }
    let without_block: Vec<_> = of(&record).rtt.unwrap().crossovers;
    for round in rtt_rounds(&mut record).filter(|round| round.block == 3) {
        round.response_us.p50 = round.response_us.p50.map(|us| us * 10);
    }
    assert_eq!(of(&record).rtt.unwrap().crossovers, without_block);
    assert_ne!(all_blocks, without_block, "the block did count before");
}
