//! The record of a run: the versioned JSON from which every report is made.
//!
//! Units stand last in names: `_s` seconds, `_us` microseconds, `_ns` nanoseconds, `_bytes`,
//! `_rps` requests per second. Times of a request are in microseconds throughout.

mod file;
mod histogram;
mod login;
mod outage;
mod population;
mod quantiles;
mod revocation;
mod rotation;
mod scaling;
mod slo;
mod version;

use std::collections::BTreeMap;

use contract::SchemeDescriptor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use file::{FILE_NAME, ReadError, WriteError, parse, read, schema, write};
pub use histogram::{EncodedHistogram, HIGHEST_US, HistogramError, LOWEST_US, SIGNIFICANT_DIGITS, empty_histogram};
pub use login::{Issuance, LoginExperiment, LoginStorm};
pub use outage::{OutageExperiment, OutageFault, OutageRound, OutageSetup, Outcome};
pub use population::{Fill, FillState, PopulationExperiment};
pub use quantiles::{MIN_SAMPLES_ABOVE, Quantiles};
pub use revocation::{
    Acceptances, EventKind, PushLink, RevocationEvent, RevocationExperiment, RevocationPrice, RevocationSeries,
};
pub use rotation::{Learning, Presented, Race, Replay, Roll, RotationExperiment, Storm};
pub use scaling::{ScalingExperiment, ScalingPoint, Slicing, Step};
pub use slo::{SearchEnd, SearchStep, SloExperiment, SloRound, SloVerdict};
pub use version::{FORMAT, FormatVersion};

use crate::plan::Plan;
use crate::validity::Fault;

/// One run: everything that was asked, found and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of this format.
    pub format: FormatVersion,
    /// What was run, when and how it ended.
    pub run: Run,
    /// The machine.
    pub host: Host,
    /// Programs and libraries that took part, by name, with their versions.
    pub software: BTreeMap<String, String>,
    /// Which processors the parts ran on, and how they were kept there.
    pub placement: Placement,
    /// The servers as they described themselves, one a scheme, in the order asked for.
    pub schemes: Vec<SchemeDescriptor>,
    /// What was asked for and left out.
    pub omitted: Vec<Omission>,
    /// How the servers did in the conformance suite before they were timed; empty where it was skipped.
    #[serde(default)]
    pub conformance: Vec<Conformance>,
    /// The measurements, in the order of the experiments asked for.
    pub experiments: Vec<Experiment>,
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The name of the run's folder.
    pub id: String,
    /// The subcommand: `compare` or `load`.
    pub command: String,
    /// The command line as given.
    pub command_line: Vec<String>,
    /// `quick`, `standard` or `full`; null for `load`.
    pub profile: Option<String>,
    /// The seed of every random choice.
    pub seed: u64,
    /// authbench's version.
    pub version: String,
    /// The commit that it was built from, with `-dirty` if it had changes; null outside a checkout.
    pub revision: Option<String>,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// UTC, RFC 3339; null until the run has ended.
    pub finished_at: Option<String>,
    /// Whether all that was asked for is there.
    pub status: Status,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state", deny_unknown_fields)]
pub enum Status {
    /// All was measured.
    Complete,
    /// Still running, or ended before all was measured.
    Incomplete {
        /// Why, such as `interrupted`; `running` until the end is known, and so after a kill.
        reason: String,
    },
}

/// How a server did in the conformance suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conformance {
    /// The scheme.
    pub scheme: String,
    /// Checks that it passed.
    pub passed: u32,
    /// Checks that say nothing of it, or that were not made.
    pub not_applicable: u32,
    /// The checks that failed; such a server is not timed.
    pub failed: Vec<String>,
}

/// The machine that the run was made on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Such as `Linux 6.18.44 x86_64`.
    pub kernel: String,
    /// The processor's model.
    pub cpu_model: String,
    /// Logical processors this process may use.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The kernel's clock source, such as `tsc`.
    pub clock_source: Option<String>,
    /// The frequency governor, such as `performance`; null where there is none to see.
    pub cpu_governor: Option<String>,
    /// Whether a hypervisor is below.
    pub virtualized: bool,
}

/// Which processors the parts ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// How: `sched_setaffinity`, or `none` where the kernel chose.
    pub method: String,
    /// The server's processors.
    pub server_cpus: Vec<u32>,
    /// The store's processors.
    pub store_cpus: Vec<u32>,
    /// The generator's processors.
    pub generator_cpus: Vec<u32>,
    /// The scheduling class that the generator's threads got in open loops: `SCHED_FIFO`, or
    /// `SCHED_OTHER` where the other is not permitted or no open loop was run.
    pub generator_class: String,
}

/// Something asked for that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// The scheme or experiment.
    pub what: String,
    /// Why, and what to do about it.
    pub reason: String,
}

/// One experiment's measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "experiment", deny_unknown_fields)]
pub enum Experiment {
    /// `authbench load`: one load on one target.
    Load(LoadExperiment),
    /// `authbench load --slo`: the highest rate at which one target meets it.
    Slo(SloExperiment),
    /// CPU time of a request, in saturated closed loops.
    Cost(LoadExperiment),
    /// Response and service time, in open loops at set rates.
    Latency(LoadExperiment),
    /// What a store further away changes.
    Rtt(LoadExperiment),
    /// What logging in costs, and what it does to those who are logged in.
    Login(LoginExperiment),
    /// What refusing garbage costs, in saturated closed loops.
    Reject(LoadExperiment),
    /// Capacity against the number of nodes.
    Scaling(ScalingExperiment),
    /// More and more live credentials.
    Population(PopulationExperiment),
    /// From the acknowledgement of an event to the denial on every node.
    Revocation(RevocationExperiment),
    /// Requests that cross several servers.
    Fanout(LoadExperiment),
    /// Keys and refresh tokens that are replaced under load.
    Rotation(RotationExperiment),
    /// What is answered while something is broken.
    Outage(OutageExperiment),
    /// Bytes a live credential takes.
    Memory(MemoryExperiment),
    /// Bytes on the wire.
    Wire(WireExperiment),
}

impl Experiment {
    /// The experiment's name on the command line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Slo(_) => "slo",
            Self::Cost(_) => "cost",
            Self::Latency(_) => "latency",
            Self::Rtt(_) => "rtt",
            Self::Login(_) => "login",
            Self::Reject(_) => "reject",
            Self::Scaling(_) => "scaling",
            Self::Population(_) => "population",
            Self::Revocation(_) => "revocation",
            Self::Fanout(_) => "fanout",
            Self::Rotation(_) => "rotation",
            Self::Outage(_) => "outage",
            Self::Memory(_) => "memory",
            Self::Wire(_) => "wire",
        }
    }

    /// Its rounds of load; empty for an experiment that keeps none, or keeps them with what it made of each.
    #[must_use]
    pub fn rounds(&self) -> &[Round] {
        match self {
            Self::Load(load)
            | Self::Cost(load)
            | Self::Latency(load)
            | Self::Rtt(load)
            | Self::Reject(load)
            | Self::Fanout(load) => &load.rounds,
            Self::Login(login) => &login.rounds,
            Self::Population(population) => &population.rounds,
            Self::Slo(_)
            | Self::Scaling(_)
            | Self::Revocation(_)
            | Self::Rotation(_)
            | Self::Outage(_)
            | Self::Memory(_)
            | Self::Wire(_) => &[],
        }
    }
}

/// What one kind of experiment measures, which stands once in a record.
pub trait Measured: Default {
    /// As a part of a record.
    fn wrap(self) -> Experiment;

    /// The one that this is, if it is of this kind.
    fn of(experiment: &mut Experiment) -> Option<&mut Self>;
}

macro_rules! measured {
    ($($variant:ident $kind:ty),+ $(,)?) => {$(
        impl Measured for $kind {
            fn wrap(self) -> Experiment {
                Experiment::$variant(self)
            }

            fn of(experiment: &mut Experiment) -> Option<&mut Self> {
                if let Experiment::$variant(this) = experiment { Some(this) } else { None }
            }
        }
    )+};
}

measured!(
    Slo SloExperiment,
    Login LoginExperiment,
    Scaling ScalingExperiment,
    Population PopulationExperiment,
    Revocation RevocationExperiment,
    Rotation RotationExperiment,
    Outage OutageExperiment,
    Memory MemoryExperiment,
    Wire WireExperiment,
);

/// Rounds of load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadExperiment {
    /// In the order in which they were measured.
    pub rounds: Vec<Round>,
}

/// One visit of one scheme: the unit of all statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// The scheme's id.
    pub scheme: String,
    /// Rounds of one block are neighbours in time, one a scheme and level; differences are taken inside it.
    pub block: u32,
    /// The place inside the block, drawn anew for every block.
    pub position: u32,
    /// What the experiment varies beside the scheme.
    pub level: Level,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// The load as planned.
    pub plan: Plan,
    /// How much of the round counts.
    pub window: Window,
    /// Requests of the whole round, warm-up included.
    pub counts: Counts,
    /// Arrivals planned per second; null in a closed loop.
    pub planned_rps: Option<f64>,
    /// Requests finished per second inside the window.
    pub achieved_rps: f64,
    /// From the intended start to the last body byte, inside the window.
    pub response_us: Quantiles,
    /// From the actual send to the last body byte, inside the window.
    pub service_us: Quantiles,
    /// Actual send minus intended start, inside the window.
    pub lag_us: Quantiles,
    /// The lag of those requests for which a connection stood idle: the instrument's own lateness. Whole round.
    pub own_lag_us: Quantiles,
    /// The share of those requests that were sent more than 500 us late.
    pub own_late_share: f64,
    /// The whole round cut into intervals; a request belongs to that of its intended start.
    pub intervals: Vec<Interval>,
    /// What the processes used inside the window; null where they are not on this machine.
    pub usage: Option<Usage>,
    /// The round-trip time that the delay proxy between server and store really gave, in microseconds: the medians of both
    /// ways together. Null without a proxy.
    #[serde(default)]
    pub store_rtt_us: Option<f64>,
    /// Whether the round may feed a claim.
    pub validity: Validity,
}

/// The level of what an experiment varies beside the scheme.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Level {
    /// As many requests as the connections can carry, sent by the saturator and not by Goose.
    Saturated,
    /// A share of the scheme's own capacity, which the saturated rounds found.
    OfCapacity {
        /// Between 0 and 1.
        fraction: f64,
    },
    /// The same rate for every scheme.
    EqualRate {
        /// Requests per second.
        rate_rps: f64,
    },
    /// A store so far away, and the same rate for every scheme.
    FarStore {
        /// Round-trip time between server and store that was set, in microseconds; 0 is a store beside the server.
        rtt_us: u32,
        /// Requests per second; null for as many as the connections can carry.
        rate_rps: Option<f64>,
    },
    /// So many live credentials, and the same rate for every scheme.
    Population {
        /// How many.
        live: u64,
        /// Requests per second; null for as many as the connections can carry.
        rate_rps: Option<f64>,
    },
    /// The same rate for every scheme, beside others who log in.
    BesideLogins {
        /// Requests per second.
        rate_rps: f64,
        /// Clients who log in again as soon as they are answered; 0 for nobody.
        clients: u32,
    },
    /// As many requests as the connections can carry, all of which have to be refused.
    Refused {
        /// What is wrong with them.
        garbage: Garbage,
    },
    /// So many servers behind the one that is asked, and the same rate for every scheme.
    Hops {
        /// How many.
        hops: u32,
        /// Requests per second; null for as many as the connections can carry.
        rate_rps: Option<f64>,
    },
    /// As given on the command line.
    AsPlanned,
}

/// What is wrong with a request that has to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Garbage {
    /// It carries no credential.
    NoCredential,
    /// Its credential is no credential by its form.
    Malformed,
    /// Its credential has the form, and nobody handed it out: a session id that is not known, a token whose signature is wrong.
    Forged,
    /// Its credential was handed out and is over.
    Expired,
    /// Its credential is no credential, and 64 KiB long, which is still read to its end.
    LongHeader,
    /// Its header is longer than the server reads one, which then answers 431 and closes the connection.
    TooLongHeader,
}

impl Level {
    /// Whether as many requests are sent as the connections can carry.
    #[must_use]
    pub const fn is_saturated(&self) -> bool {
        matches!(
            self,
            Self::Saturated
                | Self::Refused { .. }
                | Self::FarStore { rate_rps: None, .. }
                | Self::Population { rate_rps: None, .. }
                | Self::Hops { rate_rps: None, .. }
        )
    }
}

/// Which part of a round counts, in seconds since its first intended start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Where it begins: what lies before is warm-up.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
    /// Whether the warm-up was detected (true) or set (false).
    pub warmup_detected: bool,
}

impl Window {
    /// Whether an interval that begins there counts: the one rule by which reports choose, too.
    #[must_use]
    pub fn contains(self, start_s: f64) -> bool {
        start_s >= self.start_s - 1e-9 && start_s < self.end_s
    }
}

/// Requests of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Arrivals in the plan; null in a closed loop.
    pub planned: Option<u64>,
    /// Answered as expected.
    pub ok: u64,
    /// Answered otherwise or not at all, by kind, such as `status 503` or `timeout`. Their times are in the histograms.
    pub errors: BTreeMap<String, u64>,
    /// Planned, but not begun when the round's patience ended.
    pub unsent: u64,
    /// Times longer than the histograms reach, recorded as their highest value.
    pub saturated: u64,
}

impl Counts {
    /// Requests that got a wrong answer or none.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Requests sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.ok + self.failed()
    }
}

/// A stretch of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Seconds since the round's first intended start.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// Requests that failed.
    pub failed: u64,
    /// Response times.
    pub response_us: EncodedHistogram,
    /// Service times.
    pub service_us: EncodedHistogram,
    /// Lags.
    pub lag_us: EncodedHistogram,
}

/// What processes used inside the window of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Requests finished inside the window: the divisor of every figure per request.
    pub requests: u64,
    /// CPU time of the server.
    pub server_cpu_ns: u64,
    /// CPU time of the store; null without one.
    pub store_cpu_ns: Option<u64>,
    /// CPU time of the generator, without what a saturator that never sleeps spent on waiting for answers.
    pub generator_cpu_ns: u64,
    /// Commands that the store ran in the whole round, by name; null without a store.
    pub store_commands: Option<BTreeMap<String, u64>>,
    /// The share of CPU time that the hypervisor gave to others, 0 to 1; null where it cannot be seen.
    pub steal: Option<f64>,
}

/// Whether a measurement may feed a claim or a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// True if there are no reasons against it.
    pub valid: bool,
    /// What speaks against it, each a sentence with its figures.
    pub reasons: Vec<String>,
    /// Of what kind the reasons are, as far as they are of a kind; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl Validity {
    /// Valid exactly if there are no reasons against it.
    #[must_use]
    pub fn from_reasons(reasons: Vec<String>) -> Self {
        Self { valid: reasons.is_empty(), reasons, faults: Vec::new() }
    }

    /// Adds a reason against it.
    pub fn object(&mut self, fault: Fault, reason: String) {
        self.valid = false;
        self.reasons.push(reason);
        self.faults.push(fault);
    }
}

/// Memory against the number of live credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryExperiment {
    /// In the order in which they were measured.
    pub points: Vec<MemoryPoint>,
}

/// Memory at one number of live credentials. The process and the store are new for every `series`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryPoint {
    /// The scheme's id.
    pub scheme: String,
    /// Points of one series belong to one process that was filled step by step.
    pub series: u32,
    /// Credentials alive.
    pub population: u64,
    /// The server's proportional set size.
    pub server_pss_bytes: u64,
    /// The server's resident set size.
    pub server_rss_bytes: u64,
    /// What the store says it uses (`used_memory` of Redis); null without one.
    pub store_used_bytes: Option<u64>,
    /// The store's resident set size; null without one or where it is not on this machine.
    pub store_rss_bytes: Option<u64>,
    /// Whether the point may feed a claim.
    pub validity: Validity,
}

/// Bytes on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WireExperiment {
    /// One a scheme, carrier and number of roles.
    pub points: Vec<WirePoint>,
}

/// The bytes of one login and of one `GET /me`, counted on the TCP connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WirePoint {
    /// The scheme's id.
    pub scheme: String,
    /// Where the credential travels.
    pub carrier: contract::Carrier,
    /// Roles the user has.
    pub roles: u16,
    /// The credential alone.
    pub credential_bytes: u64,
    /// Request line and headers of `GET /me`, blank line included.
    pub request_header_bytes: u64,
    /// Status line and headers of its answer, blank line included.
    pub response_header_bytes: u64,
    /// The body of its answer.
    pub response_body_bytes: u64,
    /// Status line, headers and body of the answer to the login that handed the credential out.
    pub login_response_bytes: u64,
    /// Whether the point may feed a claim.
    pub validity: Validity,
}
