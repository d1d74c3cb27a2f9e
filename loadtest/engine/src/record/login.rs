//! What logging in costs, and what it does to those who are logged in.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Measured, Round, RoundAt, Validity};

/// Storms of logins beside reads, and credentials handed out without a password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginExperiment {
    /// The server's processors while others log in; empty where the kernel chose.
    pub server_cpus: Vec<u32>,
    /// Reads at a set rate, beside nobody and beside a storm, in the order in which they were measured.
    pub rounds: Vec<RoundAt<BesideLogins>>,
    /// The storm of each round that had one; scheme and block say of which.
    pub storms: Vec<LoginStorm>,
    /// Credentials handed out without a password, in the order in which they were measured.
    pub issuances: Vec<Issuance>,
}

impl Measured for LoginExperiment {
    fn rounds(&self) -> Vec<&Round> {
        self.rounds.iter().map(|each| &each.round).collect()
    }
}

/// Who logs in meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BesideLogins {
    /// Clients who log in again as soon as they are answered; 0 for nobody.
    pub clients: u32,
}

/// Clients who log in, each as somebody else every time, again as soon as they are answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginStorm {
    /// The scheme's id.
    pub scheme: String,
    /// The block of its round.
    pub block: u32,
    /// How many clients.
    pub clients: u32,
    /// Logins that handed out what they should.
    pub answered: u64,
    /// Logins answered otherwise or not at all, by kind, such as `status 503`.
    pub failed: BTreeMap<String, u64>,
    /// From the first login to the last answer, in seconds.
    pub wall_s: f64,
    /// Reads that were sent meanwhile.
    pub reads: u64,
    /// CPU time of the server from before the first login until after the last answer, reads included.
    pub server_cpu_ns: u64,
    /// The same of the store; null without one or where it is not on this machine.
    pub store_cpu_ns: Option<u64>,
    /// Whether its figures may feed a claim.
    pub validity: Validity,
}

/// Credentials handed out by `POST /bench/mint`, batch after batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuance {
    /// The scheme's id.
    pub scheme: String,
    /// Issuances of one block are neighbours in time.
    pub block: u32,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// Credentials asked for at once.
    pub batch: u32,
    /// Credentials handed out.
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
