//! The gate: two versions of the servers, compared with each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CountersExperiment, Measured};

/// The gate: two versions of the servers, compared with each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GateExperiment {
    /// What is compared with.
    pub base: GatedVersion,
    /// What is judged.
    pub head: GatedVersion,
}

impl GateExperiment {
    /// This version.
    #[must_use]
    pub const fn version(&self, side: Side) -> &GatedVersion {
        match side {
            Side::Base => &self.base,
            Side::Head => &self.head,
        }
    }

    /// Returns the schemes of which this version was counted, each once.
    #[must_use]
    pub fn schemes(&self, side: Side) -> Vec<&str> {
        let mut schemes: Vec<&str> = Vec::new();
        for segment in &self.version(side).counters.segments {
            if !schemes.contains(&segment.scheme.as_str()) {
                schemes.push(&segment.scheme);
            }
        }
        schemes
    }

    /// The same, to be changed.
    pub const fn version_mut(&mut self, side: Side) -> &mut GatedVersion {
        match side {
            Side::Base => &mut self.base,
            Side::Head => &mut self.head,
        }
    }
}

impl Measured for GateExperiment {
    fn is_empty(&self) -> bool {
        [&self.base, &self.head].iter().all(|version| version.counters == CountersExperiment::default())
    }
}

/// One of the two versions of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is judged.
    Head,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "base",
            Self::Head => "head",
        })
    }
}

/// A version of the servers, and what was counted of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GatedVersion {
    /// As it is called in reports: a revision and its abbreviated commit, a folder, or a run.
    pub name: String,
    /// The commit; none for a folder of binaries, for a working tree with changes, and for a record that has none.
    pub commit: Option<String>,
    /// Its work per request.
    pub counters: CountersExperiment,
}
