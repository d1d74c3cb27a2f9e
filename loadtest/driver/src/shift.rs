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
use crate::exchange::{Addresses, Exchange, exchange, names_its_user};
use crate::issued::Issued;
use crate::journey::{ActiveUsers, Journey, Step};

/// What all users of a round share.
pub(crate) struct Shift {
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
pub(crate) struct Begun {
    pub(crate) start: Instant,
    pub(crate) recorder: Arc<Recorder>,
    /// The tickets of an open loop; none in a closed one.
    pub(crate) tickets: Option<flume::Receiver<Ticket>>,
}

/// How long a closed loop waits before it retries an unreachable target, so that it
/// does not count millions of failed connections.
const RETRY: Duration = Duration::from_millis(10);
/// The longest such wait where the generator's machine is what has failed; each is twice as long as the one before.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How a request ended.
enum Served {
    /// With the expected response.
    Well,
    /// With another response, or none.
    Failed,
    /// Before it was sent: this machine had no descriptor, port or memory for its connection.
    Unsent,
}

/// One active virtual user: its connection's number, and its position.
pub(crate) struct Worker<'a> {
    shift: &'a Shift,
    begun: &'a Begun,
    number: usize,
    journey: Option<Journey>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(shift: &'a Shift, begun: &'a Begun, number: usize) -> Self {
        let journey = match shift.plan.mix {
            Mix::Reads | Mix::Chain { .. } => None,
            Mix::Journey { reads } => Some(Journey::new(reads)),
        };
        Self { shift, begun, number, journey }
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
            if self.stopped() {
                self.shift.cut.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if Instant::now() > patience {
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
        let mut wait = RETRY;
        while !self.stopped() && Instant::now() < end {
            let pause = match self.serve(chooser.choose(), None, true).await {
                Served::Well => {
                    wait = RETRY;
                    continue;
                }
                Served::Failed => RETRY,
                // Trying often would take from the machine more of what it is short of.
                Served::Unsent => {
                    let longer = (wait * 2).min(LONGEST_WAIT);
                    std::mem::replace(&mut wait, longer)
                }
            };
            tokio::time::sleep_until((Instant::now() + pause).into()).await;
        }
    }

    fn stopped(&self) -> bool {
        let stopped = self.shift.stop.load(Ordering::Relaxed);
        if stopped {
            self.shift.stopped_at.get_or_init(Instant::now);
        }
        stopped
    }

    /// Sends one request and records it. Without an intended start it is meant to begin when it does.
    async fn serve(&mut self, number: u32, intended: Option<Instant>, found_idle: bool) -> Served {
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
        match sample.failure {
            None => Served::Well,
            Some(kind) if Shortage::of_kind(kind).is_some() => Served::Unsent,
            Some(_) => Served::Failed,
        }
    }

    async fn read(&self, node: usize, credential: &Credential) -> Exchange {
        let expected = self.shift.plan.expected_status;
        let request = self.shift.addresses[node].read(credential);
        let mut exchange = exchange(&self.shift.client, request, expected).await;
        if expected == 200 && exchange.answer.as_ref().is_ok_and(|answer| !names_its_user(&answer.body, credential)) {
            exchange.answer = Err("response for another user".to_owned());
        }
        exchange
    }

    async fn step(&mut self, number: u32) -> Exchange {
        let mut journey = self.journey.take().expect("only a journey has steps");
        let exchange = match journey.next() {
            Step::Login => self.log_in(&mut journey, number).await,
            Step::Read => self.read_on(journey.issued()).await,
            Step::Refresh => self.refresh(journey.issued()).await,
            Step::Logout => exchange(&self.shift.client, self.addresses().logout(journey.issued()), 204).await,
        };
        if exchange.answer.is_ok() {
            journey.went_well();
        } else {
            journey.failed();
        }
        if let (Step::Login, Some(user)) = (journey.next(), journey.user.take()) {
            self.shift.active.release(user);
        }
        self.journey = Some(journey);
        exchange
    }

    /// The number of the node that this user's journeys stay with.
    fn node(&self) -> usize {
        self.number % self.shift.addresses.len()
    }

    fn addresses(&self) -> &'a Addresses {
        &self.shift.addresses[self.node()]
    }

    async fn log_in(&self, journey: &mut Journey, number: u32) -> Exchange {
        let Target { nodes, carrier } = &self.shift.target;
        let user = self.shift.active.claim(number);
        journey.user = Some(user);
        let request = self.addresses().login_by(*carrier, &contract::user::username(user));
        let mut exchange = exchange(&self.shift.client, request, 200).await;
        if let Ok(answer) = &exchange.answer {
            let nothing = || nodes[self.node()].credentials.are_none().then(Issued::nothing);
            match Issued::at_login(*carrier, self.addresses(), answer).or_else(nothing) {
                Some(issued) => journey.issued = Some(issued),
                None => exchange.answer = Err(NO_CREDENTIAL.to_owned()),
            }
        }
        exchange
    }

    async fn read_on(&self, issued: &mut Issued) -> Exchange {
        let exchange = self.read(self.node(), issued.read()).await;
        if let Ok(answer) = &exchange.answer {
            issued.keep_cookies_of_read(self.addresses(), &answer.headers);
        }
        exchange
    }

    async fn refresh(&self, issued: &mut Issued) -> Exchange {
        let mut exchange = exchange(&self.shift.client, self.addresses().refresh(issued), 200).await;
        if exchange.answer.as_ref().is_ok_and(|answer| !issued.renew(self.addresses(), answer)) {
            exchange.answer = Err(NO_CREDENTIAL.to_owned());
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
