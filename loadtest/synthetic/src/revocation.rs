//! Events with a known effect.

use contract::RevocationClass;
use engine::record::{
    Acceptances, EventKind, PushLink, RevocationCost, RevocationEvent, RevocationExperiment, RevocationSeries, Validity,
};

use super::{EXPIRY, TRUTHS, Truth};

/// Events of each kind: ten in each block.
const EVENTS: u64 = 100;

/// Returns events of every scheme with a class over a near link.
pub fn all() -> RevocationExperiment {
    let classed: Vec<&Truth> = TRUTHS.iter().filter(|truth| truth.class.is_some()).collect();
    let price = |event: EventKind, commands: &[(&str, u64)]| RevocationCost {
        scheme: "session-redis".to_owned(),
        event,
        commands: commands.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        events: 5,
    };
    RevocationExperiment {
        series: classed.into_iter().map(series).collect(),
        prices: vec![
            price(EventKind::Logout, &[("get", 1), ("del", 1), ("zrem", 1)]),
            price(EventKind::LogoutAll, &[("get", 1), ("del", 2)]),
        ],
    }
}

fn series(truth: &Truth) -> RevocationSeries {
    let expires = truth.class == EXPIRY;
    let kinds = [EventKind::Logout, EventKind::LogoutAll];
    RevocationSeries {
        scheme: truth.id.to_owned(),
        link: PushLink::Near,
        started_at: "2026-11-22T10:21:30Z".to_owned(),
        nodes: 4,
        class: truth.class.unwrap(),
        window_s: if expires { 4 } else { 0 },
        events: (0..EVENTS).flat_map(|number| kinds.map(|kind| event(kind, number, expires))).collect(),
        validity: Validity::from_reasons(Vec::new()),
    }
}

/// Returns an event whose slowest node, always the third, rejects after 501, 502, ... 600 us, or
/// 3.0 s later with tokens that expire.
fn event(kind: EventKind, number: u64, expires: bool) -> RevocationEvent {
    let slowest_us = 501 + number + if expires { 3_000_000 } else { 0 };
    let accepted = Acceptances { node: 2, count: 700, last_us: 2_999_000 };
    RevocationEvent {
        kind,
        block: (number % 10) as u32,
        told: (number % 4) as u32,
        answered_us: 350,
        left_us: expires.then_some(3_000_000),
        denied_us: [301, 401, slowest_us, 201].map(Some).into(),
        accepted: if expires { vec![accepted] } else { Vec::new() },
        unavailable: 0,
        faults: Vec::new(),
    }
}

/// Returns a server whose cache is updated late: after each event its last node accepts for 1.5 s.
pub fn cached(class: RevocationClass) -> RevocationSeries {
    let mut series = series(&TRUTHS[1]);
    (series.class, series.window_s, series.link) = (class, 2, PushLink::Lost);
    "session-redis-cached".clone_into(&mut series.scheme);
    for event in &mut series.events {
        event.accepted = vec![Acceptances { node: 3, count: 40, last_us: 1_500_000 }];
        event.denied_us[3] = Some(1_540_000);
    }
    series
}
