//! Trials under way at the same time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Instant;

use futures_util::future::{join, join_all};
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};

use super::{EXCHANGE, Node, NodeSeen, Pace, Seen, TIMED_OUT, Trial, exchange};
use crate::connection::Connection;

/// Denials after which a node is no longer polled: a node that accepts again after its first denial is detected.
const ENOUGH: u32 = 3;

/// What the connections of a wave share. They take turns in one thread, so that no borrow is held over an await.
struct Wave<'wave> {
    trials: &'wave [Trial],
    pace: Pace,
    state: RefCell<State>,
    /// Notified when there is something new to poll, or nothing more.
    news: Notify,
}

struct State {
    seen: Vec<Seen>,
    nodes: Vec<Turns>,
    all_told: bool,
}

/// The trials for which a node is to be polled next.
#[derive(Default)]
struct Turns {
    waiting: VecDeque<usize>,
    under_way: u32,
}

pub(super) async fn run(nodes: &mut [Node], trials: &[Trial], pace: Pace) -> Vec<Seen> {
    let wave = Wave::new(trials, pace, nodes.len());
    let mut telling = Vec::new();
    let mut asking = Vec::new();
    for (number, node) in nodes.iter_mut().enumerate() {
        let authority = node.authority.as_str();
        let probes: Vec<Vec<u8>> = trials.iter().map(|trial| trial.probe.bytes(authority)).collect();
        telling.push((authority, &mut node.telling));
        asking.push((number, probes, &mut node.asking));
    }
    let asked = asking.iter_mut().flat_map(|(number, probes, connections)| {
        let (wave, number, probes) = (&wave, *number, &*probes);
        connections.iter_mut().map(move |connection| wave.ask(number, probes, connection))
    });
    join(wave.tell(telling), join_all(asked)).await;
    wave.state.into_inner().seen
}

impl<'wave> Wave<'wave> {
    fn new(trials: &'wave [Trial], pace: Pace, nodes: usize) -> Self {
        let unseen =
            || Seen { answered_us: 0, acknowledged: None, nodes: vec![NodeSeen::default(); nodes], faults: Vec::new() };
        let state = State {
            seen: trials.iter().map(|_| unseen()).collect(),
            nodes: std::iter::repeat_with(Turns::default).take(nodes).collect(),
            all_told: false,
        };
        Self { trials, pace, state: RefCell::new(state), news: Notify::new() }
    }

    /// Sends event after event, and has all nodes polled for each from its acknowledgement on.
    async fn tell(&self, mut nodes: Vec<(&str, &mut Connection)>) {
        for (number, trial) in self.trials.iter().enumerate() {
            let (authority, connection) = &mut nodes[trial.told];
            let bytes = trial.event.bytes(authority);
            let sent = Instant::now();
            let answer = timeout(EXCHANGE, exchange(connection, &bytes)).await;
            let acknowledged = Instant::now();
            self.told(number, sent, acknowledged, answer.unwrap_or_else(|_| Err(TIMED_OUT.to_owned())));
            self.news.notify_waiters();
        }
        self.state.borrow_mut().all_told = true;
        self.news.notify_waiters();
    }

    fn told(&self, number: usize, sent: Instant, at: Instant, answer: Result<u16, String>) {
        let State { seen, nodes, .. } = &mut *self.state.borrow_mut();
        let seen = &mut seen[number];
        seen.answered_us = (at - sent).as_micros() as u64;
        let why = match answer {
            Ok(204) => {
                seen.acknowledged = Some(at);
                let turns = self.pace.at_a_time as usize;
                for node in nodes {
                    node.waiting.extend(std::iter::repeat_n(number, turns));
                }
                return;
            }
            Ok(status) => format!("status {status}"),
            Err(why) => why,
        };
        seen.faults.push(format!("the event was not acknowledged ({why})"));
    }

    /// Polls a node over one connection until there is nothing more to poll.
    async fn ask(&self, node: usize, probes: &[Vec<u8>], connection: &mut Connection) {
        while let Some(number) = self.next(node).await {
            let sent = Instant::now();
            let answer = timeout(EXCHANGE, exchange(connection, &probes[number])).await;
            let answer = answer.unwrap_or_else(|_| Err(TIMED_OUT.to_owned()));
            self.answered(node, number, sent, answer);
            self.news.notify_waiters();
            if !self.pace.pause.is_zero() {
                sleep_until((sent + self.pace.pause).into()).await;
            }
        }
    }

    /// Returns the next trial to poll this node for; none when there will be none.
    async fn next(&self, node: usize) -> Option<usize> {
        loop {
            // Made before the look, so that no ring is missed.
            let news = self.news.notified();
            {
                let state = &mut *self.state.borrow_mut();
                let turns = &mut state.nodes[node];
                if let Some(number) = turns.waiting.pop_front() {
                    turns.under_way += 1;
                    return Some(number);
                }
                if state.all_told && turns.under_way == 0 {
                    return None;
                }
            }
            news.await;
        }
    }

    fn answered(&self, node: usize, number: usize, sent: Instant, answer: Result<u16, String>) {
        let state = &mut *self.state.borrow_mut();
        let turns = &mut state.nodes[node];
        turns.under_way -= 1;
        let seen = &mut state.seen[number];
        let acknowledged = seen.acknowledged.expect("no node is polled before the acknowledgement");
        let since_us = |at: Instant| (at - acknowledged).as_micros() as u64;
        let own = &mut seen.nodes[node];
        match answer {
            Ok(200) => {
                own.accepted += 1;
                own.last_accepted_us = own.last_accepted_us.max(Some(since_us(sent)));
            }
            Ok(status @ (401 | 403 | 503)) => {
                own.denials += 1;
                own.unavailable += u32::from(status == 503);
                own.denied_us.get_or_insert(since_us(Instant::now()));
            }
            other => {
                let why = other.map_or_else(|why| why, |status| format!("status {status}"));
                seen.faults.push(format!("polling node {} failed ({why})", node + 1));
                return;
            }
        }
        if own.denials < ENOUGH && acknowledged.elapsed() < self.pace.patience {
            turns.waiting.push_back(number);
        }
    }
}
