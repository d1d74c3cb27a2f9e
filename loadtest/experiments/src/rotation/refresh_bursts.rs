//! Refresh bursts: credentials that are issued in a burst, and refreshed in one unless there is jitter.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::record::{Quantiles, RefreshBurst, RotationExperiment, Validity, empty_histogram};
use lab::http::{Client, HttpError};
use lab::server::Server;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::RefreshBurstParameters;
use super::clients::{Refreshed, refresh, us_between, wait_until};
use super::refreshing::Refreshing;
use crate::blocks::{Turn, turns};
use crate::run_context::{ExperimentError, RunContext};

/// The length of a bin, in seconds.
const BIN_S: f64 = 0.1;
/// The interval between two batches of issued credentials.
const ISSUE_EVERY: Duration = Duration::from_millis(20);
/// The interval at which an idle worker checks for an interruption.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// A burst that took longer than planned by more than this factor is invalid.
const MAX_STRETCH: f64 = 1.5;
/// If 1 % of the refreshes were sent later than this, the clients were saturated.
const MAX_LAG_US: u64 = 50_000;

pub(super) fn steps(parameters: &RefreshBurstParameters) -> u64 {
    u64::from(parameters.blocks) * parameters.jitters.len() as u64
}

pub(super) fn run(
    context: &mut RunContext<'_>,
    parameters: &RefreshBurstParameters,
    refreshing: &Refreshing<'_>,
) -> Result<(), ExperimentError> {
    for Turn { block, item: jitter, .. } in turns(&parameters.jitters, 0..parameters.blocks, context.config.seed) {
        context.step(&format!("refresh burst of {} credentials, jitter {jitter}", parameters.credentials))?;
        let server = refreshing.start(context, vec![("--credential-ttl-s", parameters.ttl_s.to_string())])?;
        let burst = Burst::new(context, parameters, jitter, &server);
        let (issued_s, sent) = burst.run(context.config.seed + u64::from(block))?;
        context.check_can_continue()?;
        refreshing.check(&server)?;
        let refresh_burst = burst.refresh_burst(refreshing.scheme.id(), block, issued_s, &sent);
        context.journal.measured(|rotation: &mut RotationExperiment| rotation.storms.push(refresh_burst))?;
    }
    Ok(())
}

/// A running burst.
struct Burst<'run> {
    parameters: &'run RefreshBurstParameters,
    jitter: f64,
    server: &'run Server,
    stop: &'run AtomicBool,
    /// The clients that are due next, with their tokens.
    due: Mutex<Due>,
    changed: Condvar,
    start: Instant,
}

struct Due {
    /// Ordered by time, the earliest first.
    clients: BinaryHeap<Reverse<(Instant, String)>>,
    random: SmallRng,
}

/// One refresh.
struct Sent {
    due: Instant,
    sent: Instant,
    done: Instant,
    granted: bool,
}

impl<'run> Burst<'run> {
    fn new(
        context: &'run RunContext<'_>,
        parameters: &'run RefreshBurstParameters,
        jitter: f64,
        server: &'run Server,
    ) -> Self {
        let due = Due { clients: BinaryHeap::new(), random: SmallRng::seed_from_u64(0) };
        let start = Instant::now() + ISSUE_EVERY;
        let stop = &context.config.stop;
        Self { parameters, jitter, server, stop, due: Mutex::new(due), changed: Condvar::new(), start }
    }

    /// Returns the time between two refreshes of a client without jitter.
    fn period_s(&self) -> f64 {
        self.parameters.ttl_s as f64 * self.parameters.share
    }

    /// Returns the start of counting: when the first credential is due without jitter.
    fn counted_from(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.period_s())
    }

    fn end(&self) -> Instant {
        self.counted_from() + Duration::from_secs_f64(self.period_s() * f64::from(self.parameters.periods))
    }

    /// Issues credentials, and refreshes them until the end. Returns the duration of issuing in seconds, and every
    /// refresh.
    fn run(&self, seed: u64) -> Result<(f64, Vec<Sent>), ExperimentError> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).random = SmallRng::seed_from_u64(seed);
        let (issued, sent) = std::thread::scope(|scope| {
            let work = |_| scope.spawn(|| self.work());
            let workers: Vec<_> = (0..self.parameters.connections).map(work).collect();
            let issued = self.issue();
            let sent: Vec<_> =
                workers.into_iter().map(|worker| worker.join().expect("a client does not panic")).collect();
            (issued, sent)
        });
        let sent: Vec<Vec<Sent>> = sent.into_iter().collect::<Result<_, HttpError>>()?;
        Ok((issued?, sent.into_iter().flatten().collect()))
    }

    /// Issues all credentials, evenly over the burst, and returns the duration in seconds.
    fn issue(&self) -> Result<f64, HttpError> {
        let client = self.server.client();
        let batches = (self.parameters.burst_s / ISSUE_EVERY.as_secs_f64()).round().max(1.0) as u32;
        let until =
            |batch: u32| (u64::from(self.parameters.credentials) * u64::from(batch) / u64::from(batches)) as u32;
        for batch in 0..batches {
            wait_until(self.start + ISSUE_EVERY * batch);
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let first = until(batch);
            for credential in client.mint(until(batch + 1) - first, first)? {
                self.schedule(Instant::now(), credential.refresh_token.unwrap_or_default());
            }
        }
        Ok(self.start.elapsed().as_secs_f64())
    }

    /// Schedules the next refresh of the client with this token.
    fn schedule(&self, now: Instant, token: String) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = if self.jitter > 0.0 { due.random.random_range(-self.jitter..=self.jitter) } else { 0.0 };
        let at = now + Duration::from_secs_f64(self.period_s() * (1.0 + offset));
        due.clients.push(Reverse((at, token)));
        drop(due);
        self.changed.notify_one();
    }

    /// Sends refreshes when they are due, until the end.
    fn work(&self) -> Result<Vec<Sent>, HttpError> {
        let client: Client = self.server.client();
        let mut all = Vec::new();
        while let Some((due, token)) = self.next() {
            let sent = Instant::now();
            let refreshed = refresh(&client, &token)?;
            let done = Instant::now();
            let granted = matches!(refreshed, Refreshed::Granted(_));
            all.push(Sent { due, sent, done, granted });
            if let Refreshed::Granted(token) = refreshed {
                self.schedule(done, token);
            }
        }
        Ok(all)
    }

    /// Waits for the next client that is due; returns none at the end.
    fn next(&self) -> Option<(Instant, String)> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            if now >= self.end() || self.stop.load(Ordering::SeqCst) {
                return None;
            }
            let time_left = due.clients.peek().map(|Reverse((at, _))| at.saturating_duration_since(now));
            if time_left == Some(Duration::ZERO) {
                return due.clients.pop().map(|Reverse(first)| first);
            }
            let wait = time_left.map_or(STOP_CHECK_INTERVAL, |time_left| time_left.min(STOP_CHECK_INTERVAL));
            due = self.changed.wait_timeout(due, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn refresh_burst(&self, scheme: &str, block: u32, issued_s: f64, sent: &[Sent]) -> RefreshBurst {
        let parameters = self.parameters;
        let bins = (self.period_s() * f64::from(parameters.periods) / BIN_S).round() as usize;
        let from = self.counted_from();
        let offsets = sent.iter().filter(|one| one.sent >= from).map(|one| (one.sent - from).as_secs_f64());
        let (mut response, mut lag) = (empty_histogram(), empty_histogram());
        for one in sent.iter().filter(|one| one.sent >= from) {
            response.saturating_record(us_between(one.due, one.done).max(1));
            lag.saturating_record(us_between(one.due, one.sent).max(1));
        }
        let lag_us = Quantiles::of(&lag);
        let failed = sent.iter().filter(|one| !one.granted).count() as u64;
        RefreshBurst {
            scheme: scheme.to_owned(),
            block,
            jitter: self.jitter,
            credentials: u64::from(parameters.credentials),
            issued_s,
            ttl_s: parameters.ttl_s,
            share: parameters.share,
            bin_s: BIN_S,
            arrivals: binned(offsets, bins),
            sent: sent.len() as u64,
            failed,
            response_us: Quantiles::of(&response),
            lag_us,
            validity: burst_validity(parameters.burst_s, issued_s, failed, lag_us.p99),
        }
    }
}

/// Returns how many of these offsets in seconds fall into each bin; later ones are ignored.
fn binned(offsets_s: impl Iterator<Item = f64>, bins: usize) -> Vec<u64> {
    let mut counts = vec![0; bins];
    for offset_s in offsets_s {
        if let Some(count) = counts.get_mut((offset_s / BIN_S) as usize) {
            *count += 1;
        }
    }
    counts
}

fn burst_validity(burst_s: f64, issued_s: f64, failed: u64, lag_us_p99: Option<u64>) -> Validity {
    let stretched = (issued_s > burst_s * MAX_STRETCH)
        .then(|| format!("issuing took {issued_s:.2} s instead of the planned {burst_s} s: the server was saturated"));
    let failed = (failed > 0).then(|| format!("{failed} refreshes got no token, and their clients stopped"));
    let late = lag_us_p99.is_none_or(|us| us > MAX_LAG_US);
    let late = late
        .then(|| "at least 1 % of the refreshes were sent more than 50 ms late: the clients were saturated".to_owned());
    Validity::from_reasons([stretched, failed, late].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bin_covers_a_tenth_of_a_second() {
        assert_eq!(binned([0.0, 0.09, 0.11, 0.35, 0.41].into_iter(), 4), [2, 1, 0, 1]);
    }

    #[test]
    fn burst_that_deviates_from_its_plan_is_invalid() {
        assert!(burst_validity(1.0, 1.1, 0, Some(300)).valid);
        for validity in [
            burst_validity(1.0, 1.6, 0, Some(300)),
            burst_validity(1.0, 1.0, 1, Some(300)),
            burst_validity(1.0, 1.0, 0, Some(60_000)),
        ] {
            assert_eq!(validity.reasons.len(), 1, "{validity:?}");
        }
        assert!(!burst_validity(1.0, 1.0, 0, None).valid, "no refresh was sent");
    }
}
