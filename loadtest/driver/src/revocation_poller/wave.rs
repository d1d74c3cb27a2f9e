//! Trials under way at the same time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Instant;

use futures_util::future::{join, join_all};
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};

use super::{Node, NodeResult, Polling, RESPONSE_TIMEOUT, TIMED_OUT, Trial, TrialResult, exchange};
use crate::connection::Connection;

/// Denials after which a node is no longer polled: a node that accepts again after its first denial is detected.
const DENIALS_TO_STOP: u32 = 3;

/// What the connections of a wave share. They take turns in one thread, so that no borrow is held over an await.
struct Wave<'wave> {
    trials: &'wave [Trial],
    polling: Polling,
    state: RefCell<State>,
    /// Notified when there is something new to poll, or nothing more.
    changed: Notify,
}

struct State {
    results: Vec<TrialResult>,
    nodes: Vec<PollQueue>,
    all_events_sent: bool,
}

/// The trials for which a node is to be polled next.
#[derive(Default)]
struct PollQueue {
    pending: VecDeque<usize>,
    in_flight: u32,
}

pub(super) async fn run(nodes: &mut [Node], trials: &[Trial], polling: Polling) -> Vec<TrialResult> {
    let wave = Wave::new(trials, polling, nodes.len());
    let mut event_connections = Vec::new();
    let mut poll_connections = Vec::new();
    for (number, node) in nodes.iter_mut().enumerate() {
        let authority = node.authority.as_str();
        let probes: Vec<Vec<u8>> = trials.iter().map(|trial| trial.probe.bytes(authority)).collect();
        event_connections.push((authority, &mut node.event_connection));
        poll_connections.push((number, probes, &mut node.poll_connections));
    }
    let polling_tasks = poll_connections.iter_mut().flat_map(|(number, probes, connections)| {
        let (wave, number, probes) = (&wave, *number, &*probes);
        connections.iter_mut().map(move |connection| wave.poll(number, probes, connection))
    });
    join(wave.send_events(event_connections), join_all(polling_tasks)).await;
    wave.state.into_inner().results
}

impl<'wave> Wave<'wave> {
    fn new(trials: &'wave [Trial], polling: Polling, nodes: usize) -> Self {
        let no_result = || TrialResult {
            answered_us: 0,
            acknowledged: None,
            nodes: vec![NodeResult::default(); nodes],
            faults: Vec::new(),
        };
        let state = State {
            results: trials.iter().map(|_| no_result()).collect(),
            nodes: std::iter::repeat_with(PollQueue::default).take(nodes).collect(),
            all_events_sent: false,
        };
        Self { trials, polling, state: RefCell::new(state), changed: Notify::new() }
    }

    /// Sends event after event, and has all nodes polled for each from its acknowledgement on.
    async fn send_events(&self, mut nodes: Vec<(&str, &mut Connection)>) {
        for (number, trial) in self.trials.iter().enumerate() {
            let (authority, connection) = &mut nodes[trial.event_node];
            let bytes = trial.event.bytes(authority);
            let sent = Instant::now();
            let response = timeout(RESPONSE_TIMEOUT, exchange(connection, &bytes)).await;
            let acknowledged = Instant::now();
            self.record_event_response(
                number,
                sent,
                acknowledged,
                response.unwrap_or_else(|_| Err(TIMED_OUT.to_owned())),
            );
            self.changed.notify_waiters();
        }
        self.state.borrow_mut().all_events_sent = true;
        self.changed.notify_waiters();
    }

    fn record_event_response(&self, number: usize, sent: Instant, at: Instant, response: Result<u16, String>) {
        let State { results, nodes, .. } = &mut *self.state.borrow_mut();
        let result = &mut results[number];
        result.answered_us = (at - sent).as_micros() as u64;
        let why = match response {
            Ok(204) => {
                result.acknowledged = Some(at);
                let times = self.polling.concurrency as usize;
                for node in nodes {
                    node.pending.extend(std::iter::repeat_n(number, times));
                }
                return;
            }
            Ok(status) => format!("status {status}"),
            Err(why) => why,
        };
        result.faults.push(format!("the event was not acknowledged ({why})"));
    }

    /// Polls a node over one connection until there is nothing more to poll.
    async fn poll(&self, node: usize, probes: &[Vec<u8>], connection: &mut Connection) {
        while let Some(number) = self.next(node).await {
            let sent = Instant::now();
            let response = timeout(RESPONSE_TIMEOUT, exchange(connection, &probes[number])).await;
            let response = response.unwrap_or_else(|_| Err(TIMED_OUT.to_owned()));
            self.record_poll_response(node, number, sent, response);
            self.changed.notify_waiters();
            if !self.polling.pause.is_zero() {
                sleep_until((sent + self.polling.pause).into()).await;
            }
        }
    }

    /// Returns the next trial to poll this node for; none when there will be none.
    async fn next(&self, node: usize) -> Option<usize> {
        loop {
            // Created before the check, so that no notification is missed.
            let changed = self.changed.notified();
            {
                let state = &mut *self.state.borrow_mut();
                let queue = &mut state.nodes[node];
                if let Some(number) = queue.pending.pop_front() {
                    queue.in_flight += 1;
                    return Some(number);
                }
                if state.all_events_sent && queue.in_flight == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn record_poll_response(&self, node: usize, number: usize, sent: Instant, response: Result<u16, String>) {
        let state = &mut *self.state.borrow_mut();
        let queue = &mut state.nodes[node];
        queue.in_flight -= 1;
        let result = &mut state.results[number];
        let acknowledged = result.acknowledged.expect("no node is polled before the acknowledgement");
        let since_us = |at: Instant| (at - acknowledged).as_micros() as u64;
        let node_result = &mut result.nodes[node];
        match response {
            Ok(200) => {
                node_result.accepted += 1;
                node_result.last_accepted_us = node_result.last_accepted_us.max(Some(since_us(sent)));
            }
            Ok(status @ (401 | 403 | 503)) => {
                node_result.denials += 1;
                node_result.unavailable += u32::from(status == 503);
                node_result.denied_us.get_or_insert(since_us(Instant::now()));
            }
            other => {
                let why = other.map_or_else(|why| why, |status| format!("status {status}"));
                result.faults.push(format!("polling node {} failed ({why})", node + 1));
                return;
            }
        }
        if node_result.denials < DENIALS_TO_STOP && acknowledged.elapsed() < self.polling.timeout {
            queue.pending.push_back(number);
        }
    }
}
