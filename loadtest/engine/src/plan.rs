//! A plan: the typed, seeded description of a load.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::input::{MAX_CONFIG_FILE_BYTES, read_text};

/// A load. In TOML every field but `arrivals` and `duration_s` has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The seed of arrivals and choices.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// When requests begin.
    pub arrivals: Arrivals,
    /// Requests that may be under way at once, each on its own keep-alive connection. In a closed
    /// loop this is the number of users.
    #[serde(default = "defaults::connections")]
    pub connections: u32,
    /// Users whose credentials are sent.
    #[serde(default)]
    pub population: Population,
    /// Requests to send.
    #[serde(default)]
    pub mix: Mix,
    /// Expected status of the response to a read; with any but 200 the user in the response is not checked.
    #[serde(default = "defaults::expected_status")]
    pub expected_status: u16,
    /// How long requests arrive, in seconds, warm-up included.
    pub duration_s: f64,
    /// How the warm-up is cut.
    #[serde(default)]
    pub warmup: Warmup,
    /// The length of the intervals that the round is recorded in, in seconds.
    #[serde(default = "defaults::interval_s")]
    pub interval_s: f64,
    /// How long one request may take, in seconds, before it counts as failed.
    #[serde(default = "defaults::timeout_s")]
    pub timeout_s: f64,
}

/// When requests begin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Arrivals {
    /// Independent of one another: exponential gaps. Open loop.
    Poisson {
        /// Requests per second.
        rate_rps: f64,
    },
    /// Evenly spaced. Open loop.
    Fixed {
        /// Requests per second.
        rate_rps: f64,
    },
    /// Each user sends the next request as soon as the last one has its response. Closed loop.
    Closed,
}

impl Arrivals {
    /// The planned rate in requests per second; none in a closed loop.
    #[must_use]
    pub const fn rate_rps(self) -> Option<f64> {
        match self {
            Self::Poisson { rate_rps } | Self::Fixed { rate_rps } => Some(rate_rps),
            Self::Closed => None,
        }
    }
}

/// Users whose credentials are sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Population {
    /// How many credentials there are.
    pub size: u32,
    /// How one is chosen for a request.
    pub choice: Choice,
}

impl Default for Population {
    fn default() -> Self {
        Self { size: 10_000, choice: Choice::Uniform }
    }
}

/// How a credential is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Choice {
    /// Each as often as any other.
    Uniform,
    /// A few often, most seldom.
    Zipf {
        /// The larger, the more uneven; 1 is the classic.
        exponent: f64,
    },
}

/// Requests to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Mix {
    /// `GET /me` only.
    #[default]
    Reads,
    /// `GET /chain` only: reads that cross several servers.
    Chain {
        /// Servers behind the first one, each of which checks the credential that it receives.
        hops: u32,
    },
    /// Login, some reads, refresh, as many reads, logout; then again with another user.
    Journey {
        /// Reads before and after the refresh.
        reads: u32,
    },
}

/// How the warm-up is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Warmup {
    /// Where the time series settles.
    #[default]
    Detect,
    /// After a set time.
    Fixed {
        /// Seconds.
        seconds: f64,
    },
}

mod defaults {
    pub(super) const fn expected_status() -> u16 {
        200
    }
    pub(super) const fn seed() -> u64 {
        1
    }
    pub(super) const fn connections() -> u32 {
        64
    }
    pub(super) const fn interval_s() -> f64 {
        1.0
    }
    pub(super) const fn timeout_s() -> f64 {
        10.0
    }
}

/// A plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read.
    #[error("cannot read the plan {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML of this shape.
    #[error("the plan {path} is malformed: {source}")]
    Malformed {
        /// The file.
        path: String,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A value is out of its range.
    #[error("{what} is {value}, but must be {must}")]
    OutOfRange {
        /// The value's name.
        what: &'static str,
        /// The value.
        value: f64,
        /// Its range in words.
        must: &'static str,
    },
}

/// The longest plan: a day.
const MAX_DURATION_S: f64 = 86_400.0;
/// The most credentials of a plan: a token and what belongs to it take up to a kilobyte of memory each.
const MAX_CREDENTIALS: u32 = 1_000_000;
/// The most intervals that a plan is recorded in. Each takes some kilobytes of memory and of the record.
const MAX_INTERVALS: f64 = 100_000.0;
/// The highest rate of a plan, in requests per second.
const MAX_RPS: f64 = 5_000_000.0;

impl Plan {
    /// A plan with every default.
    #[must_use]
    pub fn new(arrivals: Arrivals, duration_s: f64) -> Self {
        Self {
            seed: defaults::seed(),
            arrivals,
            connections: defaults::connections(),
            population: Population::default(),
            mix: Mix::default(),
            expected_status: defaults::expected_status(),
            duration_s,
            warmup: Warmup::default(),
            interval_s: defaults::interval_s(),
            timeout_s: defaults::timeout_s(),
        }
    }

    /// Returns the plan of a load that ended early, after this many seconds.
    #[must_use]
    pub fn ended_after(&self, seconds: f64) -> Self {
        let duration_s = seconds.min(self.duration_s);
        let warmup = match self.warmup {
            Warmup::Fixed { seconds } => Warmup::Fixed { seconds: seconds.min(duration_s) },
            Warmup::Detect => Warmup::Detect,
        };
        Self { duration_s, warmup, ..self.clone() }
    }

    /// Reads and checks a plan file.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let name = || path.display().to_string();
        let text = read_text(path, MAX_CONFIG_FILE_BYTES).map_err(|source| PlanError::Io { path: name(), source })?;
        Self::parse(&text, &name())
    }

    /// The plan in this text, which errors call `name`.
    pub fn parse(text: &str, name: &str) -> Result<Self, PlanError> {
        let malformed = |source| PlanError::Malformed { path: name.to_owned(), source };
        let plan: Self = toml::from_str(text).map_err(malformed)?;
        plan.check()?;
        Ok(plan)
    }

    /// Rejects plans that cannot run.
    pub fn check(&self) -> Result<(), PlanError> {
        let check_range = |what, value: f64, in_range: bool, must| {
            if in_range { Ok(()) } else { Err(PlanError::OutOfRange { what, value, must }) }
        };
        if let Some(rate) = self.arrivals.rate_rps() {
            check_range(
                "the rate",
                rate,
                rate > 0.0 && rate <= MAX_RPS,
                "above 0 and at most 5,000,000 requests per second",
            )?;
        }
        let duration = self.duration_s;
        check_range(
            "the duration",
            duration,
            duration > 0.0 && duration <= MAX_DURATION_S,
            "above 0 s and at most one day",
        )?;
        check_range(
            "the interval",
            self.interval_s,
            self.interval_s >= 0.01 && self.interval_s <= MAX_DURATION_S,
            "at least 0.01 s",
        )?;
        let intervals = (duration / self.interval_s).ceil();
        check_range(
            "the number of intervals",
            intervals,
            intervals <= MAX_INTERVALS,
            "at most 100,000: use a longer interval_s or a shorter duration_s",
        )?;
        check_range(
            "the timeout",
            self.timeout_s,
            self.timeout_s > 0.0 && self.timeout_s <= 600.0,
            "above 0 s and at most 600 s",
        )?;
        let connections = self.connections;
        check_range(
            "the number of connections",
            f64::from(connections),
            (1..=65_000).contains(&connections),
            "1 to 65,000",
        )?;
        let status = self.expected_status;
        check_range("the expected status", f64::from(status), (200..=599).contains(&status), "200 to 599")?;
        let credentials = self.population.size;
        check_range(
            "the population",
            f64::from(credentials),
            (1..=MAX_CREDENTIALS).contains(&credentials),
            "1 to 1,000,000, because all credentials are kept in memory",
        )?;
        if let Choice::Zipf { exponent } = self.population.choice {
            check_range("the Zipf exponent", exponent, exponent > 0.0 && exponent <= 10.0, "above 0 and at most 10")?;
        }
        if let Warmup::Fixed { seconds } = self.warmup {
            check_range(
                "the warm-up",
                seconds,
                seconds >= 0.0 && seconds < duration,
                "0 s or more and shorter than the duration",
            )?;
        }
        Ok(())
    }
}
