//! What a record shows: tables, statistics and warnings.
//!
//! Everything here is a pure function of a record: no files, no clock, no chance. Reports and
//! gates take their numbers from here, so that there is one place where a number is made.

pub mod statistics;

mod capacity;
mod cost;
mod demand;
mod fanout;
mod group;
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
mod slo;
mod timeline;
mod violation;
mod warning;
mod warnings;
mod wire;
mod words;

pub use capacity::{Capacity, FULL_SHARE, Part};
pub use cost::{CostRow, CostTable, OverControl, is_control};
pub use demand::DemandRow;
pub use fanout::{Apart, Crossed, FanoutRow, FanoutTable, Slope as HopSlope};
pub use group::{Group, Place, RoundCounts, garbage_name, groups, level_name};
pub use latency::{CpuPerRequest, Distribution, LatencyRow, LatencyTable};
pub use login::{Issued, LoginCost, LoginRow, LoginTable};
pub use memory::{FEWEST_POPULATIONS, MemoryRow, MemoryTable, Slope, SlopeBasis};
pub use outage::{OutageRow, OutageTable, OutageTimeline, Recovery, Tally, WELL_INTERVALS};
pub use population::{Freed, PopulationRow, PopulationSize, PopulationTable, Predicted};
pub use reject::{Refusal, RejectRow, RejectTable};
pub use revocation::{Accepted, BrokenPromise, Denied, RevocationRow, RevocationTable, revocation_bound_us};
pub use rotation::{RaceRow, RefusedFor, ReplayRow, Requests, RollRow, RotationTable, StormRow};
pub use rtt::{Crossing, CrossingAt, Distance, RttRow, RttTable, Trips};
pub use scaling::{
    ERROR_LIMIT, FIT_NODES, FULL, Full, NoHeadline, Prediction, ScalingRow, ScalingSize, ScalingTable, UslFit,
};
pub use slo::{CONFIRMED_BY, CONFIRMING, Judged, SLO_SHARE, SloAnswer, SloFit, SloRate, SloTable};
pub use timeline::{Timeline, TimelinePoint};
pub use violation::Violation;
pub use warning::{Topic, Warning};
pub use wire::{COOKIE_LIMIT_BYTES, WireRow, WireTable};
pub use words::grouped;

use engine::record::{Experiment, HistogramError, LoadExperiment, Record, Round};

/// All that a record shows.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// CPU time of a request.
    pub cost: Option<CostTable>,
    /// Response times at set rates.
    pub latency: Option<LatencyTable>,
    /// Response times of `authbench load`.
    pub load: Option<LatencyTable>,
    /// The highest rate that meets an objective.
    pub slo: Option<SloTable>,
    /// How `authbench load` went, second by second.
    pub timelines: Vec<Timeline>,
    /// What a store further away changes.
    pub rtt: Option<RttTable>,
    /// What logging in costs, and what it does to those who are logged in.
    pub login: Option<LoginTable>,
    /// What refusing garbage costs.
    pub reject: Option<RejectTable>,
    /// Capacity against the number of nodes.
    pub scaling: Option<ScalingTable>,
    /// What more and more live credentials change.
    pub population: Option<PopulationTable>,
    /// How long what was ended is still accepted.
    pub revocation: Option<RevocationTable>,
    /// What each further server adds that a request crosses.
    pub fanout: Option<FanoutTable>,
    /// What becomes of clients while keys and tokens are replaced.
    pub rotation: Option<RotationTable>,
    /// What is answered while something is broken.
    pub outage: Option<OutageTable>,
    /// Bytes a live credential takes.
    pub memory: Option<MemoryTable>,
    /// Bytes on the wire.
    pub wire: Option<WireTable>,
    /// What a reader must know before trusting any of it.
    pub warnings: Vec<Warning>,
}

/// A record holds something that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "a histogram of {experiment}, scheme {scheme}, block {block}, cannot be read: {source}; the record is damaged, make the run again"
)]
pub struct EvidenceError {
    experiment: &'static str,
    scheme: String,
    block: u32,
    source: UnusableHistogram,
}

/// Why a histogram cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableHistogram {
    /// It is not a histogram.
    #[error(transparent)]
    Encoding(#[from] HistogramError),
    /// It holds times beyond what authbench records.
    #[error("its values lie outside the bounds of authbench's histograms ({0})")]
    Bounds(#[from] hdrhistogram::AdditionError),
}

impl EvidenceError {
    /// A histogram of this round that cannot be used.
    #[must_use]
    pub fn new(experiment: &'static str, round: &Round, source: UnusableHistogram) -> Self {
        Self { experiment, scheme: round.scheme.clone(), block: round.block, source }
    }
}

impl Evidence {
    /// Draws it from a record.
    pub fn of(record: &Record) -> Result<Self, EvidenceError> {
        let mut evidence = Self {
            cost: None,
            latency: None,
            load: None,
            slo: None,
            timelines: Vec::new(),
            rtt: None,
            login: None,
            reject: None,
            scaling: None,
            population: None,
            revocation: None,
            fanout: None,
            rotation: None,
            outage: None,
            memory: None,
            wire: None,
            warnings: Vec::new(),
        };
        for experiment in &record.experiments {
            evidence.take(record, experiment)?;
        }
        evidence.warnings = warnings::of(record, &evidence);
        Ok(evidence)
    }

    fn take(&mut self, record: &Record, experiment: &Experiment) -> Result<(), EvidenceError> {
        match experiment {
            Experiment::Load(load) => {
                self.load = Some(LatencyTable::of(record, experiment.name(), &load.rounds)?);
                self.timelines = timelines(load)?;
            }
            Experiment::Slo(slo) => self.slo = Some(SloTable::of(slo)),
            Experiment::Cost(load) => self.cost = Some(CostTable::of(record, load)),
            Experiment::Latency(load) => {
                self.latency = Some(LatencyTable::of(record, experiment.name(), &load.rounds)?);
            }
            Experiment::Rtt(load) => self.rtt = Some(RttTable::of(record, load)?),
            Experiment::Login(login) => self.login = Some(LoginTable::of(record, login)?),
            Experiment::Reject(load) => self.reject = Some(RejectTable::of(record, load)),
            Experiment::Scaling(scaling) => self.scaling = ScalingTable::of(record, scaling),
            Experiment::Population(population) => self.population = Some(PopulationTable::of(record, population)?),
            Experiment::Revocation(found) => self.revocation = Some(RevocationTable::of(record, found)),
            Experiment::Fanout(load) => self.fanout = Some(FanoutTable::of(record, load)?),
            Experiment::Rotation(rotation) => self.rotation = Some(RotationTable::of(record, rotation)),
            Experiment::Outage(outage) => self.outage = Some(OutageTable::of(record, outage)),
            Experiment::Memory(memory) => self.memory = Some(MemoryTable::of(record, memory)),
            Experiment::Wire(wire) => self.wire = Some(WireTable::of(record, wire)),
        }
        Ok(())
    }
}

fn timelines(load: &LoadExperiment) -> Result<Vec<Timeline>, EvidenceError> {
    load.rounds.iter().map(Timeline::of).collect()
}
