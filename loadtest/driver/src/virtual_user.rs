//! What a virtual user does in a round: serve tickets until there are no more.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use engine::chooser::Chooser;
use engine::plan::{Mix, Plan};
use engine::recorder::{Recorder, Sample};
use engine::shortage::Shortage;
use engine::ticket::Ticket;
use reqwest::Client;

use crate::Target;
use crate::credential::Credential;
use crate::exchange::{Addresses, Exchange, exchange, has_expected_user};
use crate::issued::Issued;
use crate::journey::{ActiveUsers, Journey, Step};

/// What all users of a round share.
pub(crate) struct RoundContext {
    pub(crate) plan: Plan,
    pub(crate) client: Client,
    pub(crate) target: Target,
    /// Of each node.
    pub(crate) addresses: Vec<Addresses>,
    /// Counts the reads, so that the nodes take turns.
    pub(crate) turn: AtomicUsize,
    pub(crate) active: ActiveUsers,
    pub(crate) stop: Arc<AtomicBool>,
    /// When it was first seen that the round is to end early.
    pub(crate) stopped_at: Arc<OnceLock<Instant>>,
    /// Tickets that were given up because the target could not keep up.
    pub(crate) unsent: AtomicU64,
    /// Tickets that were not begun because the round was ended early.
    pub(crate) cut: AtomicU64,
}

/// The round has begun.
#[derive(Clone)]
pub(crate) struct StartedRound {
    pub(crate) start: Instant,
    pub(crate) recorder: Arc<Recorder>,
    /// The tickets of an open loop; none in a closed one.
    pub(crate) tickets: Option<flume::Receiver<Ticket>>,
}

/// How long a closed loop waits before it retries an unreachable target, so that it
/// does not count millions of failed connections.
const RETRY: Duration = Duration::from_millis(10);
/// The longest such wait where the generator's machine is what has failed; each is twice as long as the one before.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// How a request ended.
enum Outcome {
    /// With the expected response.
    Succeeded,
    /// With another response, or none.
    Failed,
    /// Before it was sent: this machine had no descriptor, port or memory for its connection.
    Unsent,
}

/// One active virtual user: its connection's number, and its position.
pub(crate) struct VirtualUser<'a> {
    context: &'a RoundContext,
    started: &'a StartedRound,
    number: usize,
    journey: Option<Journey>,
}

impl<'a> VirtualUser<'a> {
    pub(crate) fn new(context: &'a RoundContext, started: &'a StartedRound, number: usize) -> Self {
        let journey = match context.plan.mix {
            Mix::Reads | Mix::Chain { .. } => None,
            Mix::Journey { reads } => Some(Journey::new(reads)),
        };
        Self { context, started, number, journey }
    }

    pub(crate) async fn run(mut self) {
        match &self.started.tickets {
            Some(tickets) => self.open_loop(tickets).await,
            None => self.closed_loop().await,
        }
    }

    async fn open_loop(&mut self, tickets: &flume::Receiver<Ticket>) {
        let plan = &self.context.plan;
        // An overrun target gets as long again as one request may take to work off its backlog.
        let give_up_at = self.started.start + Duration::from_secs_f64(plan.duration_s + plan.timeout_s);
        while let Some((ticket, found_idle)) = take(tickets).await {
            if self.stopped() {
                self.context.cut.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if Instant::now() > give_up_at {
                self.context.unsent.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.send(ticket.credential, Some(ticket.intended), found_idle).await;
        }
    }

    async fn closed_loop(&mut self) {
        let plan = &self.context.plan;
        let end = self.started.start + Duration::from_secs_f64(plan.duration_s);
        let mut chooser = Chooser::new(plan.population, plan.seed, self.number as u64 + 1);
        tokio::time::sleep_until(self.started.start.into()).await;
        let mut wait = RETRY;
        while !self.stopped() && Instant::now() < end {
            let pause = match self.send(chooser.choose(), None, true).await {
                Outcome::Succeeded => {
                    wait = RETRY;
                    continue;
                }
                Outcome::Failed => RETRY,
                // Trying often would take from the machine more of what it is short of.
                Outcome::Unsent => {
                    let longer = (wait * 2).min(MAX_WAIT);
                    std::mem::replace(&mut wait, longer)
                }
            };
            tokio::time::sleep_until((Instant::now() + pause).into()).await;
        }
    }

    fn stopped(&self) -> bool {
        let stopped = self.context.stop.load(Ordering::Relaxed);
        if stopped {
            self.context.stopped_at.get_or_init(Instant::now);
        }
        stopped
    }

    /// Sends one request and records it. Without an intended start it is meant to begin when it does.
    async fn send(&mut self, number: u32, intended: Option<Instant>, found_idle: bool) -> Outcome {
        let exchange = match &self.journey {
            None => {
                let node = self.context.turn.fetch_add(1, Ordering::Relaxed) % self.context.addresses.len();
                self.read(node, self.context.target.nodes[node].credentials.get(number)).await
            }
            Some(_) => self.step(number).await,
        };
        let sample = Sample {
            intended: intended.unwrap_or(exchange.sent),
            sent: exchange.sent,
            done: exchange.done,
            found_idle,
            failure: exchange.response.as_ref().err().map(String::as_str),
        };
        self.started.recorder.record(self.number, sample);
        match sample.failure {
            None => Outcome::Succeeded,
            Some(kind) if Shortage::of_kind(kind).is_some() => Outcome::Unsent,
            Some(_) => Outcome::Failed,
        }
    }

    async fn read(&self, node: usize, credential: &Credential) -> Exchange {
        let expected = self.context.plan.expected_status;
        let request = self.context.addresses[node].read(credential);
        let mut exchange = exchange(&self.context.client, request, expected).await;
        if expected == 200
            && exchange.response.as_ref().is_ok_and(|response| !has_expected_user(&response.body, credential))
        {
            exchange.response = Err("response for another user".to_owned());
        }
        exchange
    }

    async fn step(&mut self, number: u32) -> Exchange {
        let mut journey = self.journey.take().expect("only a journey has steps");
        let exchange = match journey.next() {
            Step::Login => self.log_in(&mut journey, number).await,
            Step::Read => self.read_on(journey.issued()).await,
            Step::Refresh => self.refresh(journey.issued()).await,
            Step::Logout => exchange(&self.context.client, self.addresses().logout(journey.issued()), 204).await,
        };
        if exchange.response.is_ok() {
            journey.advance();
        } else {
            journey.restart();
        }
        if let (Step::Login, Some(user)) = (journey.next(), journey.user.take()) {
            self.context.active.release(user);
        }
        self.journey = Some(journey);
        exchange
    }

    /// The number of the node that this user's journeys stay with.
    fn node(&self) -> usize {
        self.number % self.context.addresses.len()
    }

    fn addresses(&self) -> &'a Addresses {
        &self.context.addresses[self.node()]
    }

    async fn log_in(&self, journey: &mut Journey, number: u32) -> Exchange {
        let Target { nodes, carrier } = &self.context.target;
        let user = self.context.active.claim(number);
        journey.user = Some(user);
        let request = self.addresses().login_by(*carrier, &contract::user::username(user));
        let mut exchange = exchange(&self.context.client, request, 200).await;
        if let Ok(response) = &exchange.response {
            let none = || nodes[self.node()].credentials.are_absent().then(Issued::none);
            match Issued::at_login(*carrier, self.addresses(), response).or_else(none) {
                Some(issued) => journey.issued = Some(issued),
                None => exchange.response = Err(NO_CREDENTIAL.to_owned()),
            }
        }
        exchange
    }

    async fn read_on(&self, issued: &mut Issued) -> Exchange {
        let exchange = self.read(self.node(), issued.read()).await;
        if let Ok(response) = &exchange.response {
            issued.store_read_cookies(self.addresses(), &response.headers);
        }
        exchange
    }

    async fn refresh(&self, issued: &mut Issued) -> Exchange {
        let mut exchange = exchange(&self.context.client, self.addresses().refresh(issued), 200).await;
        if exchange.response.as_ref().is_ok_and(|response| !issued.renew(self.addresses(), response)) {
            exchange.response = Err(NO_CREDENTIAL.to_owned());
        }
        exchange
    }
}

/// The failure of a login or a refresh that issues nothing.
const NO_CREDENTIAL: &str = "no credential in the response";

/// The next ticket, and whether this user stood idle for it; none when there will be no more.
async fn take(tickets: &flume::Receiver<Ticket>) -> Option<(Ticket, bool)> {
    match tickets.try_recv() {
        Ok(ticket) => Some((ticket, false)),
        Err(flume::TryRecvError::Disconnected) => None,
        Err(flume::TryRecvError::Empty) => tickets.recv_async().await.ok().map(|ticket| (ticket, true)),
    }
}
