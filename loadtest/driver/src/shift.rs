//! What a Goose user does in a round: serve tickets until there are no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine::chooser::Chooser;
use engine::plan::{Mix, Plan};
use engine::recorder::{Recorder, Sample};
use engine::ticket::Ticket;
use reqwest::Client;

use crate::Target;
use crate::credential::Credential;
use crate::exchange::{Addresses, Exchange, exchange, names_its_user};
use crate::journey::{Journey, Step};

/// What all users of a round share.
pub(crate) struct Shift {
    pub(crate) plan: Plan,
    pub(crate) target: Target,
    /// Of each node.
    pub(crate) addresses: Vec<Addresses>,
    /// Counts the reads, so that the nodes take turns.
    pub(crate) turn: AtomicUsize,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) unsent: AtomicU64,
}

/// The round has begun.
#[derive(Clone)]
pub(crate) struct Begun {
    pub(crate) start: Instant,
    pub(crate) recorder: Arc<Recorder>,
    /// The tickets of an open loop; none in a closed one.
    pub(crate) tickets: Option<flume::Receiver<Ticket>>,
}

/// How long a closed loop waits before it tries a target again that cannot be reached, so that it
/// does not count millions of refusals.
const RETRY: Duration = Duration::from_millis(10);

/// One user at work: its connection's number, and where it stands.
pub(crate) struct Worker<'a> {
    shift: &'a Shift,
    begun: &'a Begun,
    client: &'a Client,
    number: usize,
    journey: Option<Journey>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(shift: &'a Shift, begun: &'a Begun, client: &'a Client, number: usize) -> Self {
        let journey = match shift.plan.mix {
            Mix::Reads | Mix::Chain { .. } => None,
            Mix::Journey { reads } => Some(Journey::new(reads)),
        };
        Self { shift, begun, client, number, journey }
    }

    pub(crate) async fn work(mut self) {
        match &self.begun.tickets {
            Some(tickets) => self.open_loop(tickets).await,
            None => self.closed_loop().await,
        }
    }

    async fn open_loop(&mut self, tickets: &flume::Receiver<Ticket>) {
        let plan = &self.shift.plan;
        // An overrun target gets as long again as one request may take to work off its backlog.
        let patience = self.begun.start + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        while let Some((ticket, found_idle)) = take(tickets).await {
            if self.stopped() || Instant::now() > patience {
                self.shift.unsent.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.serve(ticket.credential, Some(ticket.intended), found_idle).await;
        }
    }

    async fn closed_loop(&mut self) {
        let plan = &self.shift.plan;
        let end = self.begun.start + Duration::from_secs_f64(plan.duration_s);
        let mut chooser = Chooser::new(plan.population, plan.seed, self.number as u64 + 1);
        tokio::time::sleep_until(self.begun.start.into()).await;
        while !self.stopped() && Instant::now() < end {
            if !self.serve(chooser.choose(), None, true).await {
                tokio::time::sleep_until((Instant::now() + RETRY).into()).await;
            }
        }
    }

    fn stopped(&self) -> bool {
        self.shift.stop.load(Ordering::Relaxed)
    }

    /// Sends one request and records it. False if it failed. Without an intended start it is
    /// meant to begin when it does.
    async fn serve(&mut self, number: u32, intended: Option<Instant>, found_idle: bool) -> bool {
        let exchange = match &self.journey {
            None => {
                let node = self.shift.turn.fetch_add(1, Ordering::Relaxed) % self.shift.addresses.len();
                self.read(node, self.shift.target.nodes[node].credentials.get(number)).await
            }
            Some(_) => self.step(number).await,
        };
        let sample = Sample {
            intended: intended.unwrap_or(exchange.sent),
            sent: exchange.sent,
            done: exchange.done,
            found_idle,
            failure: exchange.answer.as_ref().err().map(String::as_str),
        };
        self.begun.recorder.record(self.number, sample);
        exchange.answer.is_ok()
    }

    async fn read(&self, node: usize, credential: &Credential) -> Exchange {
        let expected = self.shift.plan.expected_status;
        let mut exchange = exchange(self.client, self.shift.addresses[node].read(credential), expected).await;
        if expected == 200 && exchange.answer.as_ref().is_ok_and(|answer| !names_its_user(&answer.body, credential)) {
            exchange.answer = Err("answer for another user".to_owned());
        }
        exchange
    }

    async fn step(&mut self, number: u32) -> Exchange {
        let node = self.number % self.shift.addresses.len();
        let addresses = &self.shift.addresses[node];
        let mut journey = self.journey.take().expect("only a journey has steps");
        let (mut exchange, hands_out) = match journey.next() {
            Step::Login => {
                let username = contract::user::username(number);
                (exchange(self.client, addresses.login(&username), 200).await, true)
            }
            Step::Read(credential) => (self.read(node, credential).await, false),
            Step::Refresh(credential) => (exchange(self.client, addresses.refresh(credential), 200).await, true),
            Step::Logout(credential) => (exchange(self.client, addresses.logout(credential), 204).await, false),
        };
        let handed_out = exchange
            .answer
            .as_ref()
            .ok()
            .filter(|_| hands_out)
            .and_then(|answer| Credential::handed_out(self.shift.target.carrier, &answer.headers, &answer.body));
        if hands_out && handed_out.is_none() && exchange.answer.is_ok() {
            exchange.answer = Err("no credential in the answer".to_owned());
        }
        if exchange.answer.is_ok() {
            journey.went_well(handed_out);
        } else {
            journey.failed();
        }
        self.journey = Some(journey);
        exchange
    }
}

/// The next ticket, and whether this user stood idle for it; none when there will be no more.
async fn take(tickets: &flume::Receiver<Ticket>) -> Option<(Ticket, bool)> {
    match tickets.try_recv() {
        Ok(ticket) => Some((ticket, false)),
        Err(flume::TryRecvError::Disconnected) => None,
        Err(flume::TryRecvError::Empty) => tickets.recv_async().await.ok().map(|ticket| (ticket, true)),
    }
}
