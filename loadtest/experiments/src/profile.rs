//! How much is measured: the profiles, and one file an experiment for its parameters.

mod cost;
mod fanout;
mod latency;
mod login;
mod memory;
mod outage;
mod population;
mod reject;
mod revocation;
mod rotation;
mod rtt;
mod scaling;
mod wire;

use std::fmt;
use std::str::FromStr;

use contract::Scheme;

pub use cost::CostParameters;
pub use fanout::FanoutParameters;
pub use latency::LatencyParameters;
pub use login::LoginParameters;
pub use memory::MemoryParameters;
pub use outage::OutageParameters;
pub use population::PopulationParameters;
pub use reject::RejectParameters;
pub use revocation::{EventCounts, RevocationParameters};
pub use rotation::{RaceParameters, RollParameters, RotationParameters, StormParameters};
pub use rtt::RttParameters;
pub use scaling::ScalingParameters;
pub use wire::WireParameters;

/// How thorough a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// A first answer in under five minutes on two processors.
    #[default]
    Quick,
    /// Every experiment on the main schemes, in half an hour on two processors.
    Standard,
    /// Every experiment on every scheme, in three hours: rounds about as long as in `standard`, and as many events, outages and credentials as it
    /// takes to see what is rare or large.
    Full,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Full => "full",
        })
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Quick, Self::Standard, Self::Full]
            .into_iter()
            .find(|profile| profile.to_string() == word)
            .ok_or_else(|| format!("{word:?} is no profile; there are quick, standard and full"))
    }
}

/// The experiments, in the order in which they are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Experiment {
    /// CPU time of a request.
    Cost,
    /// Response and service time.
    Latency,
    /// What a store further away changes.
    Rtt,
    /// What logging in costs, and what it does to those who are logged in.
    Login,
    /// What refusing garbage costs.
    Reject,
    /// Capacity against the number of nodes.
    Scaling,
    /// More and more live credentials.
    Population,
    /// How long what was ended is still accepted.
    Revocation,
    /// What is answered while something is broken.
    Outage,
    /// Requests that cross several servers.
    Fanout,
    /// Keys and refresh tokens that are replaced under load.
    Rotation,
    /// Bytes a live credential takes.
    Memory,
    /// Bytes on the wire.
    Wire,
}

impl Experiment {
    /// Every experiment.
    pub const ALL: [Self; 13] = [
        Self::Cost,
        Self::Latency,
        Self::Rtt,
        Self::Login,
        Self::Reject,
        Self::Scaling,
        Self::Population,
        Self::Revocation,
        Self::Outage,
        Self::Fanout,
        Self::Rotation,
        Self::Memory,
        Self::Wire,
    ];
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cost => "cost",
            Self::Latency => "latency",
            Self::Rtt => "rtt",
            Self::Login => "login",
            Self::Reject => "reject",
            Self::Scaling => "scaling",
            Self::Population => "population",
            Self::Revocation => "revocation",
            Self::Fanout => "fanout",
            Self::Rotation => "rotation",
            Self::Outage => "outage",
            Self::Memory => "memory",
            Self::Wire => "wire",
        })
    }
}

impl FromStr for Experiment {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|experiment| experiment.to_string() == word).ok_or_else(|| {
            let known = Self::ALL.map(|experiment| experiment.to_string()).join(", ");
            format!("{word:?} is no experiment; there are {known}")
        })
    }
}

/// The parameters of every experiment.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Of `cost`.
    pub cost: CostParameters,
    /// Of `latency`.
    pub latency: LatencyParameters,
    /// Of `rtt`.
    pub rtt: RttParameters,
    /// Of `login`.
    pub login: LoginParameters,
    /// Of `reject`.
    pub reject: RejectParameters,
    /// Of `scaling`.
    pub scaling: ScalingParameters,
    /// Of `population`.
    pub population: PopulationParameters,
    /// Of `revocation`.
    pub revocation: RevocationParameters,
    /// Of `outage`.
    pub outage: OutageParameters,
    /// Of `fanout`.
    pub fanout: FanoutParameters,
    /// Of `rotation`.
    pub rotation: RotationParameters,
    /// Of `memory`.
    pub memory: MemoryParameters,
    /// Of `wire`.
    pub wire: WireParameters,
}

/// The schemes that most architects choose among.
const MAIN: [&str; 10] = [
    "anonymous",
    "session-memory",
    "session-redis",
    "session-redis-pool",
    "session-redis-cached",
    "jwt-hs256",
    "jwt-eddsa",
    "jwt-hs256-denylist",
    "jwt-hs256-push",
    "hybrid",
];

impl Profile {
    /// The experiments made unless others are asked for.
    #[must_use]
    pub fn experiments(self) -> Vec<Experiment> {
        match self {
            Self::Quick => vec![Experiment::Cost, Experiment::Latency, Experiment::Memory, Experiment::Wire],
            Self::Standard | Self::Full => Experiment::ALL.to_vec(),
        }
    }

    /// The schemes compared unless others are asked for.
    #[must_use]
    pub fn schemes(self) -> Vec<Scheme> {
        let quick = ["anonymous", "session-redis", "session-redis-pool", "jwt-hs256", "jwt-eddsa"];
        match self {
            Self::Quick => Scheme::all().filter(|scheme| quick.contains(&scheme.id())).collect(),
            Self::Standard => Scheme::all().filter(|scheme| MAIN.contains(&scheme.id())).collect(),
            Self::Full => Scheme::all().collect(),
        }
    }

    fn pick<T>(self, quick: T, standard: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Standard => standard,
            Self::Full => full,
        }
    }

    /// The parameters of every experiment.
    #[must_use]
    pub fn parameters(self) -> Parameters {
        Parameters {
            cost: cost::parameters(self),
            latency: latency::parameters(),
            rtt: rtt::parameters(self),
            login: login::parameters(self),
            reject: reject::parameters(self),
            scaling: scaling::parameters(self),
            population: population::parameters(self),
            revocation: revocation::parameters(self),
            outage: outage::parameters(self),
            fanout: fanout::parameters(self),
            rotation: rotation::parameters(self),
            memory: memory::parameters(self),
            wire: wire::parameters(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back() {
        for profile in [Profile::Quick, Profile::Standard, Profile::Full] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        for experiment in Experiment::ALL {
            assert_eq!(experiment.to_string().parse(), Ok(experiment));
        }
        assert!("slow".parse::<Profile>().unwrap_err().contains("quick, standard and full"));
        assert!("weather".parse::<Experiment>().unwrap_err().contains("cost, latency"));
    }

    #[test]
    fn every_profile_can_bear_its_statistics() {
        for profile in [Profile::Quick, Profile::Standard, Profile::Full] {
            let parameters = profile.parameters();
            let blocks =
                [parameters.cost.blocks, parameters.latency.blocks, parameters.login.blocks, parameters.reject.blocks];
            let fewest = blocks.into_iter().min().unwrap();
            assert!(fewest >= 6, "an exact 95 % interval of paired rounds needs six");
            assert!(parameters.memory.populations.len() >= 4, "a slope needs four sizes");
            assert!(parameters.memory.populations.is_sorted());
            assert!(profile.schemes()[0].is_control());
        }
    }
}
