//! What a login costs, and how logins affect the requests of other users.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Measured, Round, RoundAt, Validity};

/// Login bursts during reads, and credentials issued without a password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginExperiment {
    /// The server's processors while others log in; empty where the kernel chose.
    pub server_cpus: Vec<u32>,
    /// Reads at a set rate, without concurrent logins and during a login burst, in the order in which they were measured.
    pub rounds: Vec<RoundAt<ConcurrentLogins>>,
    /// The login burst of each round that had one, with its scheme and block.
    pub storms: Vec<LoginBurstRound>,
    /// Credentials issued without a password, in the order in which they were measured.
    pub issuances: Vec<Issuance>,
}

impl Measured for LoginExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().map(|each| &each.round).collect()
    }
}

/// Concurrent logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConcurrentLogins {
    /// Clients that log in again after each response; 0 for no concurrent logins.
    pub clients: u32,
}

/// Clients that log in, each as another user every time, again after each response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginBurstRound {
    /// The scheme's id.
    pub scheme: String,
    /// The block of its round.
    pub block: u32,
    /// How many clients.
    pub clients: u32,
    /// Logins that issued what they should.
    pub answered: u64,
    /// Logins with another response or none, by kind, such as `status 503`.
    pub failed: BTreeMap<String, u64>,
    /// From the first login to the last response, in seconds.
    pub wall_s: f64,
    /// Reads that were sent meanwhile.
    pub reads: u64,
    /// CPU time of the server from before the first login until after the last response, reads included.
    pub server_cpu_ns: u64,
    /// The same of the store; null without one or where it is not on this machine.
    pub store_cpu_ns: Option<u64>,
    /// Whether its figures may feed a claim.
    pub validity: Validity,
}

/// Credentials issued by `POST /bench/mint`, batch after batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Issuance {
    /// The scheme's id.
    pub scheme: String,
    /// Issuances of one block are neighbours in time.
    pub block: u32,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// Credentials per request.
    pub batch: u32,
    /// Credentials issued.
    pub credentials: u64,
    /// How long that took, in seconds.
    pub wall_s: f64,
    /// CPU time of the server.
    pub server_cpu_ns: u64,
    /// CPU time of the store; null without one or where it is not on this machine.
    pub store_cpu_ns: Option<u64>,
    /// Whether its figures may feed a claim.
    pub validity: Validity,
}
