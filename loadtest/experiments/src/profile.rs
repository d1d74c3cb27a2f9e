//! The profiles: how much a run measures.

use std::fmt;
use std::str::FromStr;

use contract::Scheme;
use engine::record::{self, CostExperiment, CountersExperiment, LatencyExperiment, MemoryExperiment, WireExperiment};
use engine::{Experiment, each_comparison};

use crate::Run;

/// How thorough a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// A first result in under five minutes on two processors.
    #[default]
    Quick,
    /// Every experiment on the main schemes, in half an hour on two processors.
    Standard,
    /// Every experiment on every scheme, in three hours: rounds about as long as in `standard`, and enough events,
    /// outages and credentials to show rare and large effects.
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
            .ok_or_else(|| format!("unknown profile {word:?}; use quick, standard or full"))
    }
}

macro_rules! parameters {
    ($($(#[$on:meta])* $module:ident $id:literal $data:ident: $needs:tt $title:literal, $compares:literal;)*) => {
        /// The parameters of every experiment.
        #[derive(Clone, Debug)]
        pub struct Parameters {
            $($(#[$on])* #[doc = concat!("Of `", $id, "`.")] pub $module: <record::$data as Run>::Parameters,)*
        }

        impl Profile {
            /// The parameters of every experiment.
            #[must_use]
            pub fn parameters(self) -> Parameters {
                Parameters { $($(#[$on])* $module: record::$data::parameters(self),)* }
            }
        }
    };
}

each_comparison!(parameters);

/// The schemes that most architects consider.
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
    /// Returns the default experiments of this profile.
    #[must_use]
    pub fn experiments(self) -> Vec<Experiment> {
        match self {
            Self::Quick => vec![
                CostExperiment::EXPERIMENT,
                CountersExperiment::EXPERIMENT,
                LatencyExperiment::EXPERIMENT,
                MemoryExperiment::EXPERIMENT,
                WireExperiment::EXPERIMENT,
            ],
            Self::Standard | Self::Full => Experiment::all().collect(),
        }
    }

    /// Returns the default schemes of this profile.
    #[must_use]
    pub fn schemes(self) -> Vec<Scheme> {
        let quick = ["anonymous", "session-redis", "session-redis-pool", "jwt-hs256", "jwt-eddsa"];
        match self {
            Self::Quick => Scheme::all().filter(|scheme| quick.contains(&scheme.id())).collect(),
            Self::Standard => Scheme::all().filter(|scheme| MAIN.contains(&scheme.id())).collect(),
            Self::Full => Scheme::all().collect(),
        }
    }

    /// Returns the value of this profile.
    pub(crate) fn pick<T>(self, quick: T, standard: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Standard => standard,
            Self::Full => full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_names_parse_back() {
        for profile in [Profile::Quick, Profile::Standard, Profile::Full] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("slow".parse::<Profile>().unwrap_err().contains("quick, standard or full"));
    }

    #[test]
    fn quick_runs_five_experiments_and_the_others_run_all() {
        let ids: Vec<&str> = Profile::Quick.experiments().into_iter().map(Experiment::id).collect();
        assert_eq!(ids, ["cost", "counters", "latency", "memory", "wire"]);
        for profile in [Profile::Standard, Profile::Full] {
            assert!(profile.experiments().into_iter().eq(Experiment::all()), "{profile}");
        }
    }

    #[test]
    fn every_profile_has_enough_blocks_and_sizes() {
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
