//! Caveats of the tables: what their numbers cannot carry, and what may not be compared just so.

use contract::Carrier;
use engine::record::Level;

use super::if_any;
use crate::cost::is_control;
use crate::group::Place;
use crate::statistics::{CONFIDENCE, Estimate, fewest_samples};
use crate::{
    COOKIE_LIMIT_BYTES, Capacity, CostRow, CostTable, Evidence, LatencyTable, MemoryTable, Part, ScalingTable, Slope,
    SlopeBasis, Warning, WireTable,
};

/// Below this R² a line through memory is called crooked.
const STRAIGHT: f64 = 0.98;
/// Quantiles that tables show, with their names.
const SHOWN: [(f64, &str); 5] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];

pub(super) fn all(evidence: &Evidence) -> Vec<Warning> {
    let cost = evidence.cost.iter().flat_map(cost);
    let latency = [&evidence.load, &evidence.latency].into_iter().flatten().flat_map(latency);
    let memory = evidence.memory.iter().flat_map(memory);
    let broken = evidence.revocation.iter().flat_map(|table| &table.broken);
    let broken = broken.map(|broken| Warning::ClassBroken { broken: broken.clone() });
    let no_headline =
        evidence.scaling.iter().flat_map(ScalingTable::no_headline).map(|why| Warning::NoHeadline { why });
    cost.chain(latency)
        .chain(no_headline)
        .chain(broken)
        .chain(memory)
        .chain(evidence.wire.iter().flat_map(wire))
        .collect()
}

fn cost(table: &CostTable) -> Vec<Warning> {
    let experiment = "cost";
    let named = |wanted: &dyn Fn(&CostRow) -> bool| -> Vec<String> {
        let rows = table.rows.iter().filter(|row| row.rounds.used > 0 && wanted(row));
        rows.map(|row| row.scheme.clone()).collect()
    };
    let has = |row: &CostRow, wanted: fn(&Capacity) -> bool| row.capacity.as_ref().is_some_and(wanted);
    let few = table.differences().filter(|(_, over)| over.server_us.interval.is_none());
    let few = few.map(|(row, over)| (saturated(&row.scheme), over.server_us.samples)).collect();
    let needed = fewest_samples(CONFIDENCE);
    let found = [
        (table.control_rounds == 0).then_some(Warning::NoControl { experiment }),
        if_any(few, |places| Warning::TooFewRounds { experiment, needed, places }),
        if_any(named(&|row| row.server_us.is_none()), |schemes| Warning::UsageUnseen { schemes }),
        if_any(named(&|row| row.server_us.is_some() && row.total_us.is_none()), |schemes| Warning::StoreUnseen {
            schemes,
        }),
        if_any(named(&|row| has(row, |capacity| capacity.is_lower_bound() && !capacity.shared)), |schemes| {
            Warning::LowerBound { schemes }
        }),
        if_any(named(&|row| has(row, |capacity| capacity.full.is_empty() && !capacity.busy.is_empty())), |schemes| {
            Warning::NothingFull { schemes }
        }),
        if_any(named(&|row| has(row, |capacity| capacity.shared)), |schemes| Warning::SharedProcessors {
            schemes,
            parts: sharing(table),
        }),
    ];
    found.into_iter().flatten().collect()
}

fn saturated(scheme: &str) -> Place {
    Place { experiment: "cost", scheme: scheme.to_owned(), level: Level::Saturated }
}

/// The parts that were full on processors which they share.
fn sharing(table: &CostTable) -> Vec<Part> {
    let shared = || table.rows.iter().filter_map(|row| row.capacity.as_ref()).filter(|capacity| capacity.shared);
    let full = |part: &Part| shared().any(|capacity| capacity.full.contains(part));
    [Part::Server, Part::Store, Part::Generator].into_iter().filter(full).collect()
}

fn latency(table: &LatencyTable) -> Vec<Warning> {
    let experiment = table.experiment;
    let rows: Vec<_> = table.rows.iter().filter(|row| row.response.quantiles.count > 0).collect();
    let unsupported = SHOWN.into_iter().filter_map(|(quantile, percentile)| {
        let greyed = rows.iter().filter(|row| !row.response.quantiles.supports(quantile));
        let places = greyed.map(|row| row.place(experiment)).collect();
        if_any(places, |places| Warning::UnsupportedPercentile { experiment, percentile, places, of: rows.len() })
    });
    let without = |of_rounds: Option<Estimate>| of_rounds.is_none_or(|found| found.interval.is_none());
    let few = rows.iter().filter(|row| without(row.response.p50_of_rounds));
    let few = few.map(|row| (row.place(experiment), row.rounds.used)).collect();
    let needed = fewest_samples(CONFIDENCE);
    unsupported.chain(if_any(few, |places| Warning::TooFewRounds { experiment, needed, places })).collect()
}

fn memory(table: &MemoryTable) -> Vec<Warning> {
    let sloped = || table.rows.iter().filter_map(|row| row.slope.as_ref().map(|slope| (row, slope)));
    let unsloped = table.rows.iter().filter(|row| row.slope.is_none());
    let unsloped =
        unsloped.map(|row| Warning::TooFewPopulations { scheme: row.scheme.clone(), found: row.populations });
    let crooked = sloped().filter(|(_, slope)| slope.r_squared < STRAIGHT && !may_be_flat(slope));
    let crooked =
        crooked.map(|(row, slope)| Warning::NotStraight { scheme: row.scheme.clone(), r_squared: slope.r_squared });
    let single = sloped().filter(|(_, slope)| slope.basis == SlopeBasis::WithinSeries);
    let single = if_any(single.map(|(row, _)| row.scheme.clone()).collect(), |schemes| Warning::SingleFill { schemes });
    unsloped.chain(crooked).chain(single).collect()
}

/// Whether the slope cannot be told from none: then R² is that of noise, and says nothing.
fn may_be_flat(slope: &Slope) -> bool {
    slope.total.unwrap_or(slope.server).interval.is_none_or(|interval| interval.contains(0.0))
}

fn wire(table: &WireTable) -> Vec<Warning> {
    let valid = || table.rows.iter().map(|row| &row.point).filter(|point| point.validity.valid);
    let no_control = !valid().any(|point| is_control(&point.scheme));
    let large = valid().filter(|point| point.carrier == Carrier::Cookie && point.credential_bytes > COOKIE_LIMIT_BYTES);
    let large = large.map(|point| Warning::CookieTooLarge {
        scheme: point.scheme.clone(),
        roles: point.roles,
        bytes: point.credential_bytes,
    });
    no_control.then_some(Warning::NoControl { experiment: "wire" }).into_iter().chain(large).collect()
}
