//! The events of one scheme over one link.

use std::time::{Duration, Instant};

use contract::{RevocationClass, Scheme};
use driver::{Polling, TrialResult};
use engine::record::{Acceptances, EventKind, PushLink, RevocationEvent, RevocationSeries, Validity};
use evidence::revocation_bound_us;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::group::NodeGroup;
use super::trial::{PreparedTrial, TrialFactory};
use super::{EventCounts, RevocationParameters};
use crate::run_context::{ExperimentError, RunContext};

/// How long a node that still accepts is polled beyond the limit of its class.
const POLL_MARGIN: Duration = Duration::from_secs(1);
/// Connections to each node with one event at a time: one sends while the other waits for a response.
const CONNECTIONS: u32 = 2;
/// The same for waves: a node whose store does not respond takes most of a second for each response.
const CONNECTIONS_IN_WAVES: u32 = 8;
/// The pause between two requests over one connection while a denial is waited for. It leaves CPU time to the servers.
const PAUSE: Duration = Duration::from_millis(10);
/// The same if the denial is due within a tenth of a second.
const SHORT_PAUSE: Duration = Duration::from_millis(2);
/// The share of events without a result above which the series is invalid.
const MAX_FAULTY_SHARE: f64 = 0.1;

/// The plan of a series.
pub(super) struct SeriesPlan {
    pub(super) link: PushLink,
    /// Number of blocks or waves.
    pub(super) rounds: u32,
    /// Events in all rounds together, or in each wave.
    pub(super) counts: EventCounts,
    /// Whether there is one event at a time.
    pub(super) one_at_a_time: bool,
}

/// Measures the events of a series.
pub(super) fn measure(
    context: &mut RunContext<'_>,
    parameters: &RevocationParameters,
    scheme: Scheme,
    plan: &SeriesPlan,
) -> Result<RevocationSeries, ExperimentError> {
    let connections = if plan.one_at_a_time { CONNECTIONS } else { CONNECTIONS_IN_WAVES };
    let mut group = NodeGroup::start(context, parameters, scheme, plan.link, connections)?;
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
    let mut random = SmallRng::seed_from_u64(context.config.seed);
    let mut next_user = 1;
    for round in 0..plan.rounds {
        context.step(&step_label(scheme, plan, round))?;
        if round > 0 && plan.link == PushLink::Lost {
            group = NodeGroup::start(context, parameters, scheme, plan.link, connections)?;
        }
        let counts = if plan.one_at_a_time { plan.counts.in_round(round, plan.rounds) } else { plan.counts };
        let kinds = kinds(counts, group.event_receivers(), &mut random);
        let prepared = prepare_trials(context, &mut group, &kinds, &mut next_user)?;
        let events = if plan.one_at_a_time {
            one_at_a_time(context, &mut group, &series, prepared, round)?
        } else {
            measure_wave(context, &mut group, &series, &prepared, round)?
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

fn step_label(scheme: Scheme, plan: &SeriesPlan, round: u32) -> String {
    format!("{scheme}{}, {} of {}", plan.link.suffix(), round + 1, plan.rounds)
}

/// Returns the events in their order, and the node that receives each.
fn kinds(counts: EventCounts, event_receivers: usize, random: &mut SmallRng) -> Vec<(EventKind, usize)> {
    let count = |kind| match kind {
        EventKind::PasswordChange | EventKind::Demote => counts.hashed,
        EventKind::Logout | EventKind::LogoutAll | EventKind::Disable => counts.plain,
    };
    let mut kinds: Vec<EventKind> =
        EventKind::ALL.into_iter().flat_map(|kind| std::iter::repeat_n(kind, count(kind) as usize)).collect();
    kinds.shuffle(random);
    kinds.into_iter().map(|kind| (kind, random.random_range(0..event_receivers))).collect()
}

fn prepare_trials(
    context: &RunContext<'_>,
    group: &mut NodeGroup,
    kinds: &[(EventKind, usize)],
    next_user: &mut u32,
) -> Result<Vec<PreparedTrial>, ExperimentError> {
    let clients: Vec<_> = (0..group.servers.len()).map(|node| group.client(node)).collect();
    let mut factory = TrialFactory {
        scheme: group.scheme,
        carrier: context.config.carrier,
        poller: &mut group.poller,
        clients: &clients,
        next_user,
    };
    factory.make(kinds)
}

/// Measures one event at a time, with polling without pauses.
fn one_at_a_time(
    context: &RunContext<'_>,
    group: &mut NodeGroup,
    series: &RevocationSeries,
    prepared: Vec<PreparedTrial>,
    block: u32,
) -> Result<Vec<RevocationEvent>, ExperimentError> {
    let mut events = Vec::new();
    for prepared in prepared {
        context.check_can_continue()?;
        let polling = Polling { pause: Duration::ZERO, timeout: poll_timeout(series), concurrency: CONNECTIONS };
        let made = run_trials(context, group, series, &[prepared], polling, block)?;
        let endless = made.iter().any(|event| event.denied_us.contains(&None));
        events.extend(made);
        if endless {
            break;
        }
    }
    Ok(events)
}

fn measure_wave(
    context: &RunContext<'_>,
    group: &mut NodeGroup,
    series: &RevocationSeries,
    prepared: &[PreparedTrial],
    block: u32,
) -> Result<Vec<RevocationEvent>, ExperimentError> {
    let pause = if matches!(group.link, PushLink::Delayed { .. }) { SHORT_PAUSE } else { PAUSE };
    let polling = Polling { pause, timeout: poll_timeout(series), concurrency: 1 };
    run_trials(context, group, series, prepared, polling, block)
}

fn poll_timeout(series: &RevocationSeries) -> Duration {
    Duration::from_micros(revocation_bound_us(series.class, series.window_s, None)) + POLL_MARGIN
}

/// Makes every node accept the credentials, revokes them, and polls which nodes still accept them.
fn run_trials(
    context: &RunContext<'_>,
    group: &mut NodeGroup,
    series: &RevocationSeries,
    prepared: &[PreparedTrial],
    polling: Polling,
    block: u32,
) -> Result<Vec<RevocationEvent>, ExperimentError> {
    let trials: Vec<_> = prepared.iter().map(|prepared| prepared.trial.clone()).collect();
    let rejected = group.poller.warm_up(&trials).map_err(|source| group.failed(source))?;
    group.break_link();
    let results = group.poller.run(&trials, polling, &context.config.stop).map_err(|source| group.failed(source))?;
    let lifetime = group.descriptor().credential_ttl_s.map(|ttl_s| ttl_s + group.descriptor().leeway_s.unwrap_or(0));
    // Activity extends the lifetime of sessions, but not that of signed tokens.
    let expires = matches!(series.class, RevocationClass::Ttl | RevocationClass::Expiry);
    let lifetime = lifetime.filter(|_| expires).map(Duration::from_secs);
    let event = |((prepared, result), rejected): ((&PreparedTrial, TrialResult), Option<String>)| {
        event(prepared, result, rejected, lifetime, block)
    };
    Ok(prepared.iter().zip(results).zip(rejected).map(event).collect())
}

fn event(
    prepared: &PreparedTrial,
    result: TrialResult,
    rejected: Option<String>,
    lifetime: Option<Duration>,
    block: u32,
) -> RevocationEvent {
    let left = |acknowledged: Instant| {
        lifetime.map(|lifetime| lifetime.saturating_sub(acknowledged - prepared.issued_at).as_micros() as u64)
    };
    let accepted = (0..).zip(&result.nodes).filter_map(|(node, node_result)| {
        node_result.last_accepted_us.map(|last_us| Acceptances { node, count: node_result.accepted, last_us })
    });
    let faults: Vec<String> = rejected.into_iter().chain(result.faults).collect();
    RevocationEvent {
        kind: prepared.kind,
        block,
        told: prepared.trial.event_node as u32,
        answered_us: result.answered_us,
        left_us: result.acknowledged.and_then(left),
        denied_us: result.nodes.iter().map(|node_result| node_result.denied_us).collect(),
        accepted: accepted.collect(),
        unavailable: result.nodes.iter().map(|node_result| node_result.unavailable).sum(),
        faults,
    }
}

fn validity(events: &[RevocationEvent]) -> Validity {
    let faulty: Vec<&RevocationEvent> = events.iter().filter(|event| !event.faults.is_empty()).collect();
    let reason = faulty.first().filter(|_| faulty.len() as f64 > MAX_FAULTY_SHARE * events.len() as f64).map(|first| {
        format!(
            "{} of {} events have no result; the first because {}",
            faulty.len(),
            events.len(),
            first.faults.join("; ")
        )
    });
    Validity::from_reasons(reason.into_iter().collect())
}
