//! The version of the record format.
//!
//! | version | change |
//! | --- | --- |
//! | 1.0 | the first |
//! | 1.1 | schemes state `logout`, `refresh_token`, `inner_window_s`; more stores and store-down policies; `conformance` |
//! | 1.2 | the experiments `rtt`, `login`, `reject`, `scaling`, `population`, `revocation`, `outage`, `fanout`, `rotation` and `slo`; the mix `chain`; rounds state `store_rtt_us`, a validity its `faults`, a plan its `expected_status` |
//! | 1.3 | `scaling` states its `demands`, and why it is `unsliced`; rounds of `fanout` state `link_rtt_us` and `hop_rtt_us` |
//! | 1.4 | the fault `generator-exhausted`; objectives of any percentile |
//! | 2.0 | each experiment is `{ id, data }`; a round states its `load`, and what its experiment varies in addition is in `at` |
//! | 2.1 | the experiment `counters` |
//! | 2.2 | the experiment `gate` |
//!
//! Records of 1.x are rejected and not converted: a level of theirs mixes the load with what an experiment varies, so that
//! each experiment would need a second reader for runs that were made with other code and can be repeated in minutes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The version that this program writes. It reads every version with the same major number and
/// no higher minor number.
pub const FORMAT: FormatVersion = FormatVersion { major: 2, minor: 2 };

/// `major.minor`: a new major number changes what is there, a new minor number adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct FormatVersion {
    /// Changes when older readers would misread.
    pub major: u16,
    /// Changes when something was added.
    pub minor: u16,
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl From<FormatVersion> for String {
    fn from(version: FormatVersion) -> Self {
        version.to_string()
    }
}

/// The text is not `major.minor`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a format version of the form major.minor")]
pub struct MalformedVersion(String);

impl FromStr for FormatVersion {
    type Err = MalformedVersion;

    fn from_str(text: &str) -> Result<Self, MalformedVersion> {
        let parse = || {
            let (major, minor) = text.split_once('.')?;
            Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        parse().ok_or_else(|| MalformedVersion(text.to_owned()))
    }
}

impl TryFrom<String> for FormatVersion {
    type Error = MalformedVersion;

    fn try_from(text: String) -> Result<Self, MalformedVersion> {
        text.parse()
    }
}
