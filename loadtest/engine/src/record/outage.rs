//! How each scheme responds during a fault, and how long it takes to recover.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Measured, Validity};

/// Faults, each made several times, with every scheme under load at the same moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OutageExperiment {
    /// What is the same for all rounds; null until the first.
    pub setup: Option<OutageSetup>,
    /// One a scheme, fault and repetition, in the order in which they were measured.
    pub rounds: Vec<OutageRound>,
}

impl Measured for OutageExperiment {}

/// What is the same for all rounds of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OutageSetup {
    /// The length of the intervals that requests are counted in, by their intended start, in seconds.
    pub interval_s: f64,
    /// Requests per second and scheme, planned.
    pub rate_rps: f64,
    /// How long a request may take, in seconds.
    pub timeout_s: f64,
    /// The round-trip time of a slow store, in seconds.
    pub slow_rtt_s: f64,
    /// Nodes of every scheme, which requests go round.
    pub nodes: u32,
}

/// One scheme during one fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OutageRound {
    /// The scheme's id.
    pub scheme: String,
    /// What broke.
    pub fault: OutageFault,
    /// Which time, counted from 0. Rounds of one repetition and fault went through the same fault at the same moment.
    pub repetition: u32,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// When the fault began, in seconds since the first intended start could have been.
    pub fault_s: f64,
    /// When it began to be put right: the order to start again, to go on or to let pass.
    pub healed_s: f64,
    /// Requests that the plan has, in all.
    pub planned: u64,
    /// What came of them: for each outcome that occurred, how many in each interval.
    pub outcomes: BTreeMap<Outcome, Vec<u32>>,
    /// Logouts that were requested during the fault.
    pub logouts_asked: u32,
    /// Those of them that the server has acknowledged.
    pub logouts_acknowledged: u32,
    /// Whether the round may feed a claim.
    pub validity: Validity,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OutageFault {
    /// The store is killed (SIGKILL), and later started again, empty.
    StoreKilled,
    /// The store is suspended (SIGSTOP), and later continues.
    StorePaused,
    /// Every connection to the store is reset, and every new one, until it heals.
    StoreCut,
    /// The store is far away, until it is near again.
    StoreSlow,
    /// The store is shut down gracefully, and later restarted with its data.
    StoreRestarted,
    /// One of the nodes is killed (SIGKILL), and later started again on its address.
    NodeKilled,
}

impl OutageFault {
    /// Every fault.
    pub const ALL: [Self; 6] =
        [Self::StoreKilled, Self::StorePaused, Self::StoreCut, Self::StoreSlow, Self::StoreRestarted, Self::NodeKilled];

    /// Whether it affects the store, and so only schemes that have one.
    #[must_use]
    pub const fn is_of_store(self) -> bool {
        !matches!(self, Self::NodeKilled)
    }
}

impl std::fmt::Display for OutageFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::StoreKilled => "store killed",
            Self::StorePaused => "store paused",
            Self::StoreCut => "store cut off",
            Self::StoreSlow => "store slow",
            Self::StoreRestarted => "store restarted",
            Self::NodeKilled => "node killed",
        })
    }
}

/// The outcome of a request. A credential is *valid* until its revocation is requested, and *revoked* from the
/// acknowledgement of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A valid credential: 200, with its user.
    Good,
    /// A valid credential: 401 after the state that knew it was lost with the process that held it only in memory. The user
    /// logs in again.
    Lost,
    /// A valid credential: 401 or 403 although its state still existed, or could not be queried.
    WronglyDenied,
    /// A valid credential: 503.
    Unavailable,
    /// A valid credential: no complete response in time.
    TimedOut,
    /// A valid credential: no connection, or one that was lost.
    Disconnected,
    /// A valid credential: any other status.
    OtherStatus,
    /// An ended credential: 401 or 403.
    RightlyDenied,
    /// A revoked credential: 503, another error, no connection or no response; in any case not accepted.
    NotLetIn,
    /// 200 where the scheme's revocation window had not passed yet, or the revocation was requested but not acknowledged.
    Tolerated,
    /// 200 for a credential that ended longer ago than its revocation window, or with another one's user.
    WronglyAllowed,
    /// Planned, but not sent.
    Unsent,
}

impl OutageRound {
    /// How many requests had this outcome, in all.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).into_iter().flatten().map(|count| u64::from(*count)).sum()
    }

    /// Requests of which it is known what came of them.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        self.outcomes.keys().map(|outcome| self.count(*outcome)).sum()
    }
}
