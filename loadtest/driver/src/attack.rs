//! One round as a Goose attack.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use contract::BaseUrlError;
use engine::clock::{SchedulingClass, enable_precise_wakeups};
use engine::plan::{Arrivals, Plan};
use engine::recorder::Recorder;
use engine::round::DrivenLoad;
use engine::shortage::Shortage;
use engine::ticket::{Ticket, Tickets};
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{Scenario, Transaction};
use goose::{GooseAttack, GooseError};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::client::client;
use crate::exchange::Addresses;
use crate::journey::ActiveUsers;
use crate::limits::LimitError;
use crate::pacer::pace;
use crate::virtual_user::{RoundContext, StartedRound, VirtualUser};
use crate::{Drive, Target, Workers};

/// A load cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The target's address is not one.
    #[error(transparent)]
    Address(#[from] BaseUrlError),
    /// A thread or a runtime cannot be had.
    #[error("cannot start the generator's threads: {0}")]
    Threads(#[from] io::Error),
    /// This process may not open enough connections.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// This machine ran out of what a connection needs.
    #[error("cannot connect to the target: {}", .0.kind())]
    Shortage(Shortage),
    /// The target cannot be reached.
    #[error("cannot connect to the target: {0}")]
    Connect(io::Error),
    /// An HTTP client cannot be made.
    #[error("cannot create an HTTP client: {0}")]
    Client(String),
    /// Goose returns an error.
    #[error("Goose cannot run the load: {0}")]
    Goose(String),
    /// The users did not come or did not go.
    #[error("the generator's virtual users did not {what} within {limit_s} s")]
    Stuck {
        /// What they did not do.
        what: &'static str,
        /// How long was waited, in seconds.
        limit_s: u64,
    },
}

impl DriveError {
    /// A connection cannot be opened.
    pub(crate) fn connect(error: io::Error) -> Self {
        Shortage::of(&error).map_or_else(|| Self::Connect(error), Self::Shortage)
    }
}

impl From<GooseError> for DriveError {
    fn from(error: GooseError) -> Self {
        Self::Goose(error.to_string())
    }
}

/// How long Goose may take to start its users.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Between the last user's arrival and the round's start, so that all have settled.
const START_DELAY: Duration = Duration::from_millis(20);

pub(crate) fn run(plan: &Plan, target: &Target, workers: Workers, stop: &Arc<AtomicBool>) -> Result<Drive, DriveError> {
    target.check_limits(plan)?;
    // A closed loop would not let any other task run, not even the observer.
    let on_time = workers.dedicated_cpus && plan.arrivals != Arrivals::Closed;
    let (runtime, class) = runtime(workers.count, on_time)?;
    let context = Arc::new(RoundContext {
        plan: plan.clone(),
        target: target.clone(),
        addresses: target.nodes.iter().map(|node| Addresses::of(node, plan.mix)).collect::<Result<_, _>>()?,
        client: client(Duration::from_secs_f64(plan.timeout_s))?,
        turn: AtomicUsize::new(0),
        active: ActiveUsers::of(plan.population.size),
        stop: stop.clone(),
        stopped_at: Arc::default(),
        unsent: AtomicU64::new(0),
        cut: AtomicU64::new(0),
    });
    let drive = runtime.block_on(attack(context, workers.count));
    // Goose has no end of its own here: it would look for one only twice a second.
    runtime.shutdown_background();
    let (started, driven) = drive?;
    let class = *class.get().expect("the threads of the runtime have run the round");
    Ok(Drive { started, driven, class, idle_poll_time: Duration::ZERO })
}

/// The threads that send, and the class that they get.
pub(crate) fn runtime(workers: usize, on_time: bool) -> io::Result<(Runtime, Arc<OnceLock<SchedulingClass>>)> {
    let class = Arc::<OnceLock<SchedulingClass>>::default();
    let chosen_class = class.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("generator")
        .on_thread_start(move || {
            chosen_class.set(enable_precise_wakeups(on_time)).ok();
        })
        .enable_all()
        .build()?;
    Ok((runtime, class))
}

async fn attack(context: Arc<RoundContext>, workers: usize) -> Result<(Instant, DrivenLoad), DriveError> {
    let (start_signal, started) = watch::channel(None);
    let (report_sender, mut reports) = mpsc::unbounded_channel();
    let goose = goose_attack(&context, started, report_sender)?;
    let mut goose = tokio::spawn(goose.execute());
    let drive = round(&context, workers, &start_signal, &mut reports, &mut goose).await;
    goose.abort();
    drive
}

type Goose = JoinHandle<Result<goose::metrics::GooseMetrics, GooseError>>;

/// Waits for the users, starts the round, and waits for its end.
async fn round(
    context: &RoundContext,
    workers: usize,
    start_signal: &watch::Sender<Option<StartedRound>>,
    reports: &mut mpsc::UnboundedReceiver<()>,
    goose: &mut Goose,
) -> Result<(Instant, DrivenLoad), DriveError> {
    let plan = &context.plan;
    let users = plan.connections;
    await_all_users(reports, users, START_TIMEOUT, "start", goose).await?;
    let start = Instant::now() + START_DELAY;
    let recorder = Arc::new(Recorder::new(plan, start, workers));
    let (pacer, tickets) = start_pacer(context, start).unzip();
    start_signal.send_replace(Some(StartedRound { start, recorder: recorder.clone(), tickets }));
    let limit = Duration::from_secs_f64(plan.duration_s + 2.0 * plan.timeout_s) + START_TIMEOUT;
    await_all_users(reports, users, limit, "finish", goose).await?;
    start_signal.send_replace(None);
    let planned = match pacer {
        // What was not begun because the round was ended early was not planned for the part that there is.
        Some(pacer) => {
            let due = pacer.await.expect("the pacer does not panic and is not aborted")?;
            Some(due - context.cut.load(Ordering::Relaxed))
        }
        None => None,
    };
    let plan = match context.stopped_at.get() {
        Some(at) => plan.ended_after(at.saturating_duration_since(start).as_secs_f64()),
        None => plan.clone(),
    };
    let recorded =
        Arc::into_inner(recorder).expect("every virtual user returned its handle before it reported so").finish();
    Ok((start, DrivenLoad::new(plan, recorded, planned, context.unsent.load(Ordering::Relaxed))))
}

type Pacer = JoinHandle<io::Result<u64>>;

/// The pacer of an open loop, and where its tickets come out.
fn start_pacer(context: &RoundContext, start: Instant) -> Option<(Pacer, flume::Receiver<Ticket>)> {
    if context.plan.arrivals == Arrivals::Closed {
        return None;
    }
    let (sender, tickets) = flume::unbounded();
    let (all, stop, stopped_at) = (Tickets::of(&context.plan, start), context.stop.clone(), context.stopped_at.clone());
    let pacer = async move {
        let due = pace(all, sender, stop.clone()).await;
        if stop.load(Ordering::Relaxed) {
            stopped_at.get_or_init(Instant::now);
        }
        due
    };
    Some((tokio::spawn(pacer), tickets))
}

/// Waits until every virtual user has reported the same.
async fn await_all_users(
    reports: &mut mpsc::UnboundedReceiver<()>,
    users: u32,
    limit: Duration,
    what: &'static str,
    goose: &mut Goose,
) -> Result<(), DriveError> {
    let stuck = || DriveError::Stuck { what, limit_s: limit.as_secs() };
    let all = async {
        for _ in 0..users {
            reports.recv().await.ok_or_else(stuck)?;
        }
        Ok(())
    };
    tokio::select! {
        biased;
        result = all => result,
        ended = goose => Err(end_error(ended)),
        () = tokio::time::sleep_until((Instant::now() + limit).into()) => Err(stuck()),
    }
}

/// Goose runs until it is aborted; if it ends by itself, it has reported why.
fn end_error(ended: Result<Result<goose::metrics::GooseMetrics, GooseError>, JoinError>) -> DriveError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(_)) => DriveError::Goose("the pacer ended before its virtual users".to_owned()),
        Err(error) => DriveError::Goose(error.to_string()),
    }
}

/// A Goose attack whose virtual users report that they are ready, wait for the start, work, and report that
/// they are done.
fn goose_attack(
    context: &Arc<RoundContext>,
    started: watch::Receiver<Option<StartedRound>>,
    report_sender: mpsc::UnboundedSender<()>,
) -> Result<GooseAttack, DriveError> {
    let shared = context.clone();
    let transaction = Transaction::new(Arc::new(move |user| {
        let (context, mut started, report_sender) = (shared.clone(), started.clone(), report_sender.clone());
        Box::pin(async move {
            report_sender.send(()).ok();
            let started = started.wait_for(Option::is_some).await.ok().and_then(|started| started.clone());
            if let Some(started) = started {
                VirtualUser::new(&context, &started, user.weighted_users_index).run().await;
            }
            report_sender.send(()).ok();
            // Goose would restart the transaction; the virtual user ends with the round's runtime.
            std::future::pending().await
        })
    }));
    // Goose's own client obeys the environment's proxies and follows redirects. It stays unused, and this way there is
    // one of it instead of one for each user.
    let unused = GooseClientBuilder::new().without_cookies();
    Ok(GooseAttack::initialize_with_config(configuration(context)?)?
        .set_client_builder_without_cookies(unused)?
        .register_scenario(Scenario::new("virtual user").register_transaction(transaction)))
}

fn configuration(context: &RoundContext) -> Result<GooseConfiguration, DriveError> {
    let users = context.plan.connections.to_string();
    let arguments = [
        "--host",
        &context.target.nodes[0].base_url,
        "--users",
        &users,
        "--increase-rate",
        "1000000",
        "--no-metrics",
        "--no-telnet",
        "--quiet",
    ];
    Ok(GooseConfiguration::parse_args_default(&arguments)?)
}
