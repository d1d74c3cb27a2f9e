//! The answer in sentences, made from the evidence. Order is that of the schemes in the record:
//! nobody wins.

use contract::{RevocationClass, SchemeDescriptor};
use engine::record::{OutageFault, Record};
use evidence::statistics::Estimate;
use evidence::{
    CostRow, CostTable, Evidence, LatencyRow, LatencyTable, MemoryTable, OutageTable, OverControl, PopulationTable,
    RttTable, SlopeBasis, WireRow, WireTable, is_control, level_name,
};

use super::glance::{telling_level, telling_roles, telling_rows};
use super::rotation;
use crate::chart::COLORS;
use crate::figure::{count, duration, estimate, grouped, hundredths, listed, time};
use crate::story::latency::of_rounds;
use crate::story::many::{Said, named, told, told_of_each};
use crate::story::scheme::{described, store};
use crate::story::{fanout, login, reject, revocation, scaling, slo};

/// One sentence or two for each thing that was measured.
pub(super) fn all(record: &Record, evidence: &Evidence) -> Vec<String> {
    let sentences = [
        evidence.load.as_ref().map(load),
        evidence.slo.as_ref().map(slo::sentence),
        evidence.cost.as_ref().map(|table| cost(record, table)),
        evidence.latency.as_ref().and_then(|table| latency(record, table)),
        evidence.rtt.as_ref().and_then(|table| rtt(record, table)),
        evidence.login.as_ref().and_then(|table| login::sentence(record, table)),
        evidence.reject.as_ref().and_then(|table| reject::sentence(record, table)),
        evidence.scaling.as_ref().and_then(|table| scaling::sentence(record, table)),
        evidence.population.as_ref().and_then(|table| population(record, table)),
        evidence.revocation.as_ref().and_then(|table| revocation::sentence(record, table)),
        evidence.fanout.as_ref().and_then(|table| fanout::sentence(record, table)),
        evidence.rotation.as_ref().and_then(rotation::sentence),
        evidence.outage.as_ref().and_then(|table| outage(record, table)),
        evidence.memory.as_ref().and_then(|table| memory(record, table)),
        evidence.wire.as_ref().and_then(|table| wire(record, table)),
        promises(record).filter(|_| evidence.load.is_none() && evidence.slo.is_none()),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    if sentences.is_empty() { vec!["Nothing was measured.".to_owned()] } else { sentences }
}

fn load(table: &LatencyTable) -> String {
    table.rows.iter().map(load_of).collect::<Vec<_>>().join(" ")
}

fn load_of(row: &LatencyRow) -> String {
    let scheme = &row.scheme;
    let (Some(p50), Some(p99)) = (row.response.quantiles.p50, row.response.quantiles.p99) else {
        return format!(
            "`{scheme}` has no valid round, so nothing can be claimed of it; its figures are below, as invalid."
        );
    };
    let planned = row.planned_rps.map(|planned| format!(" of {} planned", grouped(planned))).unwrap_or_default();
    let carried = grouped(row.achieved_rps.unwrap_or(0.0));
    let (p50, p99) = (time(p50 as f64), time(p99 as f64));
    let service = row.service.quantiles.p99.map(|us| time(us as f64)).unwrap_or_default();
    format!(
        "`{scheme}` carried {carried} requests/s{planned}. Half of the requests were answered within {p50} of the moment \
         they were due, 99 % within {p99}; from the actual send, 99 % took {service} or less."
    )
}

fn cost(record: &Record, table: &CostTable) -> String {
    let parts: Vec<Said<'_>> = table.differences().map(|(row, over)| cost_of(record, row, over)).collect();
    if parts.is_empty() {
        return "CPU time: nothing can be said of what authentication adds, because no round of a scheme has a valid \
                round of the control beside it."
            .to_owned();
    }
    let control = table.rows.iter().find(|row| row.is_control).and_then(|row| row.server_us);
    let control = control.map(|found| format!(", which took {},", estimate(&found, "µs"))).unwrap_or_default();
    format!("CPU time: over the control{control} one request cost{}.", told(record, parts, |parts| parts.join("; ")))
}

fn cost_of<'row>(record: &Record, row: &'row CostRow, over: &OverControl) -> Said<'row> {
    let server = format!("`{}` {} in the server", row.scheme, said(&over.server_us));
    let text = match (&row.store_us, &over.store_us) {
        (Some(_), Some(found)) => {
            let name = described(record, &row.scheme).map_or("the store", |described| store(described.store));
            format!("{server} and {} in {name}", said(found))
        }
        (_, None) => format!("{server}, and more in a store that could not be seen"),
        _ => server,
    };
    Said { scheme: &row.scheme, figure: over.total_us.unwrap_or(over.server_us).value, text }
}

/// An estimate, or why it has no interval.
fn said(found: &Estimate) -> String {
    match found.interval {
        Some(_) => estimate(found, "µs"),
        None => format!("{} ({}, too few for an interval)", estimate(found, "µs"), count(found.samples, "round")),
    }
}

fn latency(record: &Record, table: &LatencyTable) -> Option<String> {
    let level = telling_level(table)?;
    let rows = table.rows.iter().filter(|row| row.level == *level);
    let parts = rows.filter_map(|row| {
        let us = row.response.quantiles.p99?;
        let weak = if row.response.quantiles.supports(0.99) { "" } else { " (too few samples to rely on)" };
        let interval = of_rounds(row.response.p99_of_rounds);
        let spread = if interval.is_empty() { String::new() } else { format!(" {interval}") };
        let text = format!("{}{spread} with `{}`{weak}", time(us as f64), row.scheme);
        Some(Said { scheme: &row.scheme, figure: us as f64, text })
    });
    let parts: Vec<Said<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Latency: at {}, 99 % of the requests were answered within{}.",
            level_name(level),
            told(record, parts, listed)
        )
    })
}

fn rtt(record: &Record, table: &RttTable) -> Option<String> {
    let trips = table.rows.iter().filter_map(|row| Some((&row.scheme, row.trips?.value)));
    let parts: Vec<Said<'_>> = trips
        .map(|(scheme, trips)| Said { scheme, figure: trips, text: format!("{} with `{scheme}`", hundredths(trips)) })
        .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "A store further away: before it is answered, a request waits for so many round trips to it{}.",
            told_of_each(record, parts, listed)
        )
    })
}

fn population(record: &Record, table: &PopulationTable) -> Option<String> {
    let most = table.rows.iter().filter_map(|row| row.sizes.last()).map(|size| size.live).max()?;
    let parts = table.rows.iter().filter(|row| !is_control(&row.scheme)).filter_map(|row| {
        let ratio = row.sizes.last().filter(|size| size.live == most)?.capacity_ratio?;
        let interval = ratio.interval.map(|at| format!(" [{}, {}]", hundredths(at.low), hundredths(at.high)));
        let text = format!("{}{} with `{}`", hundredths(ratio.value), interval.unwrap_or_default(), row.scheme);
        Some(Said { scheme: &row.scheme, figure: ratio.value, text })
    });
    let parts: Vec<Said<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "More live credentials: with {} of them a server carried so many times what it carried with the fewest{}.",
            grouped(most as f64),
            told_of_each(record, parts, listed)
        )
    })
}

fn outage(record: &Record, table: &OutageTable) -> Option<String> {
    // A store that is only slow, or only gone for a moment, is not what the question is about.
    let fault = OutageFault::StorePaused;
    let parts = table.of_fault(fault).filter_map(|row| {
        let share = row.good_share?.value;
        let text = format!("{:.0} % with `{}`", share * 100.0, row.scheme);
        Some(Said { scheme: &row.scheme, figure: share, text })
    });
    let parts: Vec<Said<'_>> = parts.collect();
    let accepted = (!parts.is_empty()).then(|| {
        format!(
            "While the store stood still, so many of the good credentials were accepted{}. ",
            told_of_each(record, parts, listed)
        )
    });
    let wrong: u64 = table.rows.iter().map(|row| row.wrongly_allowed).sum();
    let wrongly = match wrong {
        0 => "In none of the faults was anybody let in whose credential had ended.".to_owned(),
        _ => format!("{} let in somebody whose credential had ended.", count(wrong as usize, "request")),
    };
    (!table.rows.is_empty()).then(|| format!("Outages: {}{wrongly}", accepted.unwrap_or_default()))
}

fn memory(record: &Record, table: &MemoryTable) -> Option<String> {
    let sloped = table.rows.iter().filter(|row| !is_control(&row.scheme));
    let totals =
        sloped.filter_map(|row| row.slope.as_ref().and_then(|slope| Some((&row.scheme, slope.basis, slope.total?))));
    let (flat, rising): (Vec<_>, Vec<_>) =
        totals.partition(|(_, _, total)| total.interval.is_some_and(|interval| interval.contains(0.0)));
    let rising = rising.iter().map(|(scheme, basis, total)| {
        let text = format!("{}{} with `{scheme}`", estimate(total, "B"), one_fill(*basis));
        Said { scheme, figure: total.value, text }
    });
    let rising: Vec<Said<'_>> = rising.collect();
    let flat: Vec<String> = flat.iter().map(|(scheme, ..)| format!("`{scheme}`")).collect();
    let some =
        (!rising.is_empty()).then(|| format!("took{} in server and store together", told(record, rising, listed)));
    let none = (!flat.is_empty()).then(|| format!("took nothing that can be told from zero with {}", named(&flat)));
    let said: Vec<String> = some.into_iter().chain(none).collect();
    (!said.is_empty()).then(|| format!("Memory: one live credential {}.", said.join(", and ")))
}

const fn one_fill(basis: SlopeBasis) -> &'static str {
    match basis {
        SlopeBasis::BetweenSeries => "",
        SlopeBasis::WithinSeries => " (one fill, so the interval is too narrow)",
    }
}

fn wire_of(row: &WireRow, bytes: f64) -> Said<'_> {
    let text = format!("{} B with `{}` ({})", grouped(bytes), row.point.scheme, row.point.carrier);
    Said { scheme: &row.point.scheme, figure: bytes, text }
}

fn wire(record: &Record, table: &WireTable) -> Option<String> {
    let roles = telling_roles(&table.rows)?;
    let rows = telling_rows(record, table, roles);
    let parts: Vec<Said<'_>> =
        rows.filter_map(|row| row.request_over_control.map(|bytes| wire_of(row, bytes as f64))).collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Bytes: for a user with {roles} roles, the headers of a request outgrew the control's by{}.",
            told(record, parts, listed)
        )
    })
}

fn promises(record: &Record) -> Option<String> {
    let mut kinds: Vec<(String, Vec<String>)> = Vec::new();
    for described in &record.schemes {
        let Some(what) = promise(described) else { continue };
        let scheme = format!("`{}`", described.scheme);
        match kinds.iter_mut().find(|(known, _)| *known == what) {
            Some((_, schemes)) => schemes.push(scheme),
            None => kinds.push((what, vec![scheme])),
        }
    }
    let many = kinds.iter().map(|(_, schemes)| schemes.len()).sum::<usize>() > COLORS;
    let with = |schemes: &[String]| if many { count(schemes.len(), "scheme") } else { listed(schemes) };
    let said: Vec<String> =
        kinds.into_iter().map(|(what, schemes)| format!("{what} with {}", with(&schemes))).collect();
    (!said.is_empty()).then(|| {
        format!(
            "What the price buys: a revoked credential is {}. Prices compare only at equal promises.",
            said.join("; it is ")
        )
    })
}

fn promise(described: &SchemeDescriptor) -> Option<String> {
    let bound = described.revocation_window_s.map(|seconds| format!(", at most {}", duration(seconds)));
    let bound = bound.unwrap_or_default();
    Some(match described.revocation_class? {
        RevocationClass::Immediate => "refused at once".to_owned(),
        RevocationClass::Propagation => format!("accepted until a push has arrived{bound},"),
        RevocationClass::Ttl => format!("accepted until a cached answer or short token ends{bound},"),
        RevocationClass::Expiry => format!("accepted until it ends by itself{bound},"),
    })
}
