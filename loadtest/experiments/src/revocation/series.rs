//! The events of one scheme over one link.

use std::time::{Duration, Instant};

use contract::{RevocationClass, Scheme};
use driver::{Pace, Seen};
use engine::record::{Acceptances, EventKind, PushLink, RevocationEvent, RevocationSeries, Validity};
use evidence::revocation_bound_us;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::group::Group;
use super::trial::{Maker, Ready};
use super::{EventCounts, RevocationParameters};
use crate::bench::{Bench, ExperimentError};

/// How long a node that still accepts is polled beyond the limit of its class.
const PATIENCE: Duration = Duration::from_secs(1);
/// Connections to each node with one event at a time: one sends while the other waits for a response.
const CONNECTIONS: u32 = 2;
/// The same for waves: a node whose store does not respond takes most of a second for each response.
const CONNECTIONS_IN_WAVES: u32 = 8;
/// The pause between two requests over one connection while a denial is waited for. It leaves CPU time to the servers.
const PAUSE: Duration = Duration::from_millis(10);
/// The same if the denial is due within a tenth of a second.
const SHORT_PAUSE: Duration = Duration::from_millis(2);
/// The share of events without a result above which the series is invalid.
const FAULTY: f64 = 0.1;

/// The plan of a series.
pub(super) struct SeriesPlan {
    pub(super) link: PushLink,
    /// Number of blocks or waves.
    pub(super) rounds: u32,
    /// Events in all rounds together, or in each wave.
    pub(super) counts: EventCounts,
    /// Whether there is one event at a time.
    pub(super) one_by_one: bool,
}

/// Measures the events of a series.
pub(super) fn measure(
    bench: &mut Bench<'_>,
    parameters: &RevocationParameters,
    scheme: Scheme,
    plan: &SeriesPlan,
) -> Result<RevocationSeries, ExperimentError> {
    let connections = if plan.one_by_one { CONNECTIONS } else { CONNECTIONS_IN_WAVES };
    let mut group = Group::start(bench, parameters, scheme, plan.link, connections)?;
    let described = group.descriptor();
    let mut series = RevocationSeries {
        scheme: scheme.id().to_owned(),
        link: plan.link,
        started_at: crate::now(),
        nodes: group.servers.len() as u32,
        // The control has no class, and is not measured.
        class: described.revocation_class.unwrap_or(RevocationClass::Immediate),
        window_s: described.revocation_window_s.unwrap_or(0),
        events: Vec::new(),
        validity: Validity::default(),
    };
    let mut random = SmallRng::seed_from_u64(bench.setting.seed);
    let mut next_user = 1;
    for round in 0..plan.rounds {
        bench.step(&worded(scheme, plan, round))?;
        if round > 0 && plan.link == PushLink::Lost {
            group = Group::start(bench, parameters, scheme, plan.link, connections)?;
        }
        let counts = if plan.one_by_one { plan.counts.in_round(round, plan.rounds) } else { plan.counts };
        let kinds = kinds(counts, group.tellable(), &mut random);
        let ready = trials(bench, &mut group, &kinds, &mut next_user)?;
        let events = if plan.one_by_one {
            one_by_one(bench, &mut group, &series, ready, round)?
        } else {
            together(bench, &mut group, &series, &ready, round)?
        };
        let endless = events.iter().any(|event| event.faults.is_empty() && event.denied_us.contains(&None));
        series.events.extend(events);
        // More of them would have the same result, and each takes the whole timeout.
        if endless {
            break;
        }
    }
    series.validity = validity(&series.events);
    Ok(series)
}

fn worded(scheme: Scheme, plan: &SeriesPlan, round: u32) -> String {
    let over = match plan.link {
        PushLink::Near => String::new(),
        PushLink::Delayed { delay_ms } => format!(", pushes delayed by {delay_ms} ms"),
        PushLink::Lost => ", pushes lost".to_owned(),
    };
    format!("{scheme}{over}, {} of {}", round + 1, plan.rounds)
}

/// Returns the events in their order, and the node that receives each.
fn kinds(counts: EventCounts, tellable: usize, random: &mut SmallRng) -> Vec<(EventKind, usize)> {
    let count = |kind| match kind {
        EventKind::PasswordChange | EventKind::Demote => counts.hashed,
        EventKind::Logout | EventKind::LogoutAll | EventKind::Disable => counts.plain,
    };
    let mut kinds: Vec<EventKind> =
        EventKind::ALL.into_iter().flat_map(|kind| std::iter::repeat_n(kind, count(kind) as usize)).collect();
    kinds.shuffle(random);
    kinds.into_iter().map(|kind| (kind, random.random_range(0..tellable))).collect()
}

fn trials(
    bench: &Bench<'_>,
    group: &mut Group,
    kinds: &[(EventKind, usize)],
    next_user: &mut u32,
) -> Result<Vec<Ready>, ExperimentError> {
    let clients: Vec<_> = (0..group.servers.len()).map(|node| group.client(node)).collect();
    let maker = Maker {
        scheme: group.scheme,
        carrier: bench.setting.carrier,
        prober: &mut group.prober,
        clients: &clients,
        next_user,
    };
    { maker }.make(kinds)
}

/// Measures one event at a time, with polling without pauses.
fn one_by_one(
    bench: &Bench<'_>,
    group: &mut Group,
    series: &RevocationSeries,
    ready: Vec<Ready>,
    block: u32,
) -> Result<Vec<RevocationEvent>, ExperimentError> {
    let mut events = Vec::new();
    for ready in ready {
        bench.go_on()?;
        let pace = Pace { pause: Duration::ZERO, patience: patience(series), at_a_time: CONNECTIONS };
        let made = wave(bench, group, series, &[ready], pace, block)?;
        let endless = made.iter().any(|event| event.denied_us.contains(&None));
        events.extend(made);
        if endless {
            break;
        }
    }
    Ok(events)
}

fn together(
    bench: &Bench<'_>,
    group: &mut Group,
    series: &RevocationSeries,
    ready: &[Ready],
    block: u32,
) -> Result<Vec<RevocationEvent>, ExperimentError> {
    let pause = if matches!(group.link, PushLink::Delayed { .. }) { SHORT_PAUSE } else { PAUSE };
    let pace = Pace { pause, patience: patience(series), at_a_time: 1 };
    wave(bench, group, series, ready, pace, block)
}

fn patience(series: &RevocationSeries) -> Duration {
    Duration::from_micros(revocation_bound_us(series.class, series.window_s, None)) + PATIENCE
}

/// Makes every node accept the credentials, revokes them, and polls which nodes still accept them.
fn wave(
    bench: &Bench<'_>,
    group: &mut Group,
    series: &RevocationSeries,
    ready: &[Ready],
    pace: Pace,
    block: u32,
) -> Result<Vec<RevocationEvent>, ExperimentError> {
    let trials: Vec<_> = ready.iter().map(|ready| ready.trial.clone()).collect();
    let refused = group.prober.warm(&trials).map_err(|source| group.failed(source))?;
    group.break_link();
    let seen = group.prober.run(&trials, pace, &bench.setting.stop).map_err(|source| group.failed(source))?;
    let life = group.descriptor().credential_ttl_s.map(|ttl_s| ttl_s + group.descriptor().leeway_s.unwrap_or(0));
    // Activity extends the lifetime of sessions, but not that of signed tokens.
    let ends = matches!(series.class, RevocationClass::Ttl | RevocationClass::Expiry);
    let life = life.filter(|_| ends).map(Duration::from_secs);
    let event = |((ready, seen), refused): ((&Ready, Seen), Option<String>)| event(ready, seen, refused, life, block);
    Ok(ready.iter().zip(seen).zip(refused).map(event).collect())
}

fn event(ready: &Ready, seen: Seen, refused: Option<String>, life: Option<Duration>, block: u32) -> RevocationEvent {
    let left =
        |acknowledged: Instant| life.map(|life| life.saturating_sub(acknowledged - ready.born).as_micros() as u64);
    let accepted = (0..).zip(&seen.nodes).filter_map(|(node, found)| {
        found.last_accepted_us.map(|last_us| Acceptances { node, count: found.accepted, last_us })
    });
    let faults: Vec<String> = refused.into_iter().chain(seen.faults).collect();
    RevocationEvent {
        kind: ready.kind,
        block,
        told: ready.trial.told as u32,
        answered_us: seen.answered_us,
        left_us: seen.acknowledged.and_then(left),
        denied_us: seen.nodes.iter().map(|found| found.denied_us).collect(),
        accepted: accepted.collect(),
        unavailable: seen.nodes.iter().map(|found| found.unavailable).sum(),
        faults,
    }
}

fn validity(events: &[RevocationEvent]) -> Validity {
    let faulty: Vec<&RevocationEvent> = events.iter().filter(|event| !event.faults.is_empty()).collect();
    let reason = faulty.first().filter(|_| faulty.len() as f64 > FAULTY * events.len() as f64).map(|first| {
        format!(
            "{} of {} events have no result; the first because {}",
            faulty.len(),
            events.len(),
            first.faults.join("; ")
        )
    });
    Validity::from_reasons(reason.into_iter().collect())
}
