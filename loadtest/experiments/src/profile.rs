//! How much is measured: the one place for the parameters of every experiment.

use std::fmt;
use std::str::FromStr;

use contract::Scheme;

/// How thorough a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// A first answer in under five minutes on two processors.
    #[default]
    Quick,
    /// Narrower intervals and more levels.
    Standard,
    /// Tails to the 99.99th percentile.
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
    /// Bytes a live credential takes.
    Memory,
    /// Bytes on the wire.
    Wire,
}

impl Experiment {
    /// Every experiment.
    pub const ALL: [Self; 4] = [Self::Cost, Self::Latency, Self::Memory, Self::Wire];
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cost => "cost",
            Self::Latency => "latency",
            Self::Memory => "memory",
            Self::Wire => "wire",
        })
    }
}

impl FromStr for Experiment {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|experiment| experiment.to_string() == word)
            .ok_or_else(|| format!("{word:?} is no experiment; there are cost, latency, memory and wire"))
    }
}

/// The parameters of every experiment.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Of `cost`.
    pub cost: CostParameters,
    /// Of `latency`.
    pub latency: LatencyParameters,
    /// Of `memory`.
    pub memory: MemoryParameters,
    /// Of `wire`.
    pub wire: WireParameters,
}

/// The parameters of the experiment `cost`.
#[derive(Clone, Debug)]
pub struct CostParameters {
    /// How often every scheme is visited: the number of samples of its statistics.
    pub blocks: u32,
    /// How long a visit lasts, in seconds.
    pub round_s: f64,
    /// Users of the closed loop.
    pub connections: u32,
    /// Credentials in use.
    pub population: u32,
    /// Blocks between two restarts of every server.
    pub restart_every: u32,
}

/// The parameters of the experiment `latency`.
#[derive(Clone, Debug)]
pub struct LatencyParameters {
    /// How often every scheme is visited at every level.
    pub blocks: u32,
    /// How long a visit lasts, in seconds.
    pub round_s: f64,
    /// Shares of the scheme's own capacity, 0 to 1.
    pub fractions: Vec<f64>,
    /// Rates that are the same for every scheme, in requests per second.
    pub rates_rps: Vec<f64>,
    /// Connections that stand ready.
    pub connections: u32,
    /// Credentials in use.
    pub population: u32,
    /// Blocks between two restarts of every server.
    pub restart_every: u32,
}

/// The parameters of the experiment `memory`.
#[derive(Clone, Debug)]
pub struct MemoryParameters {
    /// Live credentials at which memory is read, rising.
    pub populations: Vec<u32>,
    /// How often a new server and a new store are filled.
    pub series: u32,
}

/// The parameters of the experiment `wire`.
#[derive(Clone, Debug)]
pub struct WireParameters {
    /// Roles that an ordinary user has.
    pub roles: Vec<u16>,
}

impl Profile {
    /// The schemes compared unless others are asked for.
    #[must_use]
    pub fn schemes(self) -> Vec<Scheme> {
        let quick = ["anonymous", "session-redis", "session-redis-pool", "jwt-hs256", "jwt-eddsa"];
        match self {
            Self::Quick => Scheme::all().filter(|scheme| quick.contains(&scheme.id())).collect(),
            Self::Standard | Self::Full => Scheme::all().collect(),
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
        let cost = CostParameters {
            blocks: self.pick(20, 30, 40),
            round_s: self.pick(0.5, 1.0, 1.0),
            connections: 32,
            population: 2_000,
            restart_every: 5,
        };
        let latency = LatencyParameters {
            blocks: self.pick(8, 10, 12),
            round_s: self.pick(0.8, 3.0, 20.0),
            fractions: self.pick(vec![0.2, 0.6], vec![0.2, 0.5, 0.8], vec![0.2, 0.5, 0.8]),
            rates_rps: self.pick(vec![5_000.0], vec![1_000.0, 5_000.0, 10_000.0], vec![1_000.0, 5_000.0, 10_000.0]),
            connections: 64,
            population: 2_000,
            restart_every: 5,
        };
        let memory = MemoryParameters {
            populations: self.pick(
                vec![2_000, 5_000, 10_000, 20_000],
                vec![10_000, 20_000, 50_000, 100_000],
                vec![10_000, 50_000, 100_000, 200_000],
            ),
            series: self.pick(3, 3, 5),
        };
        Parameters { cost, latency, memory, wire: WireParameters { roles: vec![0, 10, 100] } }
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
        assert!("revocation".parse::<Experiment>().unwrap_err().contains("cost, latency"));
    }

    #[test]
    fn every_profile_can_bear_its_statistics() {
        for profile in [Profile::Quick, Profile::Standard, Profile::Full] {
            let parameters = profile.parameters();
            let fewest = parameters.cost.blocks.min(parameters.latency.blocks);
            assert!(fewest >= 6, "an exact 95 % interval of paired rounds needs six");
            assert!(parameters.memory.populations.len() >= 4, "a slope needs four sizes");
            assert!(parameters.memory.populations.is_sorted());
            assert!(profile.schemes()[0].is_control());
        }
    }
}
