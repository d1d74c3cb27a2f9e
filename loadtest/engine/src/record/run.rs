//! What was run, on what, and how it ended.

use serde::{Deserialize, Serialize};

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The name of the run's folder.
    pub id: String,
    /// The subcommand: `compare`, `load` or `gate`.
    pub command: String,
    /// The command line as given.
    pub command_line: Vec<String>,
    /// `quick`, `standard` or `full`; null for `load` and `gate`.
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
    /// Whether everything requested is present.
    pub status: Status,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Conformance {
    /// The scheme.
    pub scheme: String,
    /// Checks that it passed.
    pub passed: u32,
    /// Checks that do not apply or could not run.
    pub not_applicable: u32,
    /// The checks that failed; such a server is not timed.
    pub failed: Vec<String>,
}

/// The machine that the run was made on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Something requested that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// The scheme or experiment.
    pub what: String,
    /// Why, and what to do about it.
    pub reason: String,
}
