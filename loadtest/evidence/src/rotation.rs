//! The `rotation` experiment: the effect of key and refresh token rotation on clients.

use engine::record::{
    KeyDistribution, KeyRotation, Presented, Race, Record, RefreshBurst, Replay, RotationExperiment, Validity,
};

use crate::group::scheme_order;
use crate::statistics::{CONFIDENCE, Interval, median_value, wilson};
use crate::warning::invalid_points;
use crate::{Analyse, EvidenceError, Warning};

/// The effect of key and refresh token rotation on clients.
#[derive(Clone, Debug, PartialEq)]
pub struct RotationTable {
    /// One row per scheme and way in which the other node learns of a new key.
    pub key_rotations: Vec<KeyRotationRow>,
    /// One row per grace period and number of clients.
    pub races: Vec<RaceRow>,
    /// One row per grace period and age of the copy.
    pub replays: Vec<ReplayRow>,
    /// One row per jitter.
    pub refresh_bursts: Vec<RefreshBurstRow>,
    /// The scheme of the races and refresh bursts.
    pub refreshing_scheme: Option<String>,
}

/// Key rotations of one scheme under load. Figures are sums over the valid rotations.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRotationRow {
    /// The scheme's id.
    pub scheme: String,
    /// How the other node learns of a new key.
    pub learning: KeyDistribution,
    /// Valid key rotations.
    pub rotations: usize,
    /// Requests with any credential to the node that rotated its key; empty if it does not check
    /// the key.
    pub first: Requests,
    /// Requests to the other node with old credentials, due after the rotation.
    pub other_old: Requests,
    /// Requests to the other node with new credentials.
    pub other_new: Requests,
    /// How long after the rotation the other node rejected the new key, in seconds: the longest of
    /// all rotations.
    pub rejected_for: RejectedFor,
    /// The longest response time of an accepted or rejected request with a new credential at the
    /// other node, in microseconds.
    pub slowest_us: Option<u64>,
}

/// Requests and their outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Sent.
    pub sent: u64,
    /// Responses with status 401.
    pub rejected: u64,
    /// Other statuses than 200 and 401, or no response.
    pub failed: u64,
}

/// How long new credentials were rejected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectedFor {
    /// Never.
    Never,
    /// At most this many seconds after the rotation; then they were accepted.
    Seconds(f64),
    /// Until the end of the load, this many seconds after the rotation.
    UntilEnd(f64),
}

/// Token families whose refresh token several clients sent at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct RaceRow {
    /// The grace period for a used refresh token, in seconds.
    pub grace_s: u64,
    /// Clients that sent it.
    pub clients: u32,
    /// Families tried.
    pub families: u64,
    /// Clients of a family that got a token: the mean.
    pub granted: f64,
    /// Families that were revoked.
    pub revoked: u64,
    /// The same per million, with Wilson's interval.
    pub revoked_ppm: f64,
    /// The interval per million.
    pub interval_ppm: Interval,
    /// From the first client's send to the last one's, in microseconds.
    pub spread_us: f64,
}

/// Token families of which a copy was sent later.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayRow {
    /// The grace period for a used refresh token, in seconds.
    pub grace_s: u64,
    /// The age of the copy, in seconds.
    pub age_s: u64,
    /// Families tried.
    pub families: u64,
    /// Copies that got a token.
    pub passed: u64,
    /// Families that were revoked, for the owner too.
    pub revoked: u64,
}

/// Refreshes after a burst of issued credentials, with one jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshBurstRow {
    /// The jitter, as a share of the refresh period, 0 to 1.
    pub jitter: f64,
    /// Valid bursts.
    pub bursts: usize,
    /// The busiest bin divided by the mean of all bins: the median of the bursts.
    pub peak_over_mean: f64,
    /// The same for each period, divided by the mean of all bins, from the first period on.
    pub by_period: Vec<f64>,
    /// The calculated value: the refresh period divided by the duration of issuing.
    pub without_jitter: f64,
    /// The 99th percentile of response times, in microseconds, from when a refresh was due: the
    /// median of the bursts.
    pub response_us_p99: Option<f64>,
    /// Whether the percentile has enough samples above it in every burst.
    pub supported: bool,
    /// The first valid burst, for its curve.
    pub curve: RefreshBurst,
}

impl Analyse for RotationExperiment {
    type Table = RotationTable;

    fn analyse(&self, record: &Record) -> Result<Option<RotationTable>, EvidenceError> {
        Ok(Some(RotationTable::of(record, self)))
    }

    fn warnings(&self, _: &Record, _: Option<&RotationTable>) -> Vec<Warning> {
        invalid_points(Self::EXPERIMENT, parts(self))
    }
}

/// Returns every measurement, with its name.
fn parts(measured: &RotationExperiment) -> impl Iterator<Item = (String, &Validity)> {
    let rolls = measured.rolls.iter().map(|roll| {
        let how = if roll.learning == KeyDistribution::Never { "not published" } else { "published" };
        (format!("the key rotation of {}, {how}, in block {}", roll.scheme, roll.block), &roll.validity)
    });
    let races = measured.races.iter().map(|race| {
        (format!("races of {} clients with a grace period of {} s", race.clients, race.grace_s), &race.validity)
    });
    let replays = measured.replays.iter().map(|replay| {
        (format!("copies {} s old with a grace period of {} s", replay.age_s, replay.grace_s), &replay.validity)
    });
    let storms = measured.storms.iter().map(|storm| {
        (format!("the refresh burst with jitter {} in block {}", storm.jitter, storm.block), &storm.validity)
    });
    rolls.chain(races).chain(replays).chain(storms)
}

impl RotationTable {
    fn of(record: &Record, measured: &RotationExperiment) -> Self {
        let refreshing_scheme = measured.races.first().map(|race| &race.scheme);
        let refreshing_scheme =
            refreshing_scheme.or_else(|| measured.storms.first().map(|storm| &storm.scheme)).cloned();
        Self {
            key_rotations: key_rotation_rows(record, &measured.rolls),
            races: measured.races.iter().filter(|race| race.validity.valid).filter_map(RaceRow::of).collect(),
            replays: measured.replays.iter().filter(|replay| replay.validity.valid).map(ReplayRow::of).collect(),
            refresh_bursts: refresh_burst_rows(&measured.storms),
            refreshing_scheme,
        }
    }
}

fn key_rotation_rows(record: &Record, rolls: &[KeyRotation]) -> Vec<KeyRotationRow> {
    let mut kinds: Vec<(&str, KeyDistribution)> = Vec::new();
    for roll in rolls.iter().filter(|roll| roll.validity.valid) {
        if !kinds.contains(&(&roll.scheme, roll.learning)) {
            kinds.push((&roll.scheme, roll.learning));
        }
    }
    kinds.sort_by_key(|(scheme, learning)| (scheme_order(record, scheme), *learning));
    let of_kind = |(scheme, learning): (&str, KeyDistribution)| {
        let is_of_kind =
            |roll: &&KeyRotation| roll.validity.valid && roll.scheme == scheme && roll.learning == learning;
        KeyRotationRow::of(scheme, learning, &rolls.iter().filter(is_of_kind).collect::<Vec<_>>())
    };
    kinds.into_iter().map(of_kind).collect()
}

impl KeyRotationRow {
    fn of(scheme: &str, learning: KeyDistribution, rolls: &[&KeyRotation]) -> Self {
        let all = || rolls.iter().flat_map(|roll| &roll.presented);
        let new = |kind: &&Presented| kind.other_node && kind.new_key;
        Self {
            scheme: scheme.to_owned(),
            learning,
            rotations: rolls.len(),
            first: sum(all().filter(|kind| !kind.other_node)),
            other_old: sum(all().filter(|kind| kind.other_node && !kind.new_key && kind.after_roll)),
            other_new: sum(all().filter(new)),
            rejected_for: RejectedFor::longest(rolls.iter().map(|roll| roll.presented.iter().filter(new))),
            slowest_us: all().filter(new).filter_map(|kind| kind.response_us.max).max(),
        }
    }
}

fn sum<'record>(kinds: impl Iterator<Item = &'record Presented>) -> Requests {
    kinds.fold(Requests::default(), |sum, kind| Requests {
        sent: sum.sent + kind.sent,
        rejected: sum.rejected + kind.refused,
        failed: sum.failed + kind.failed,
    })
}

impl RejectedFor {
    /// Returns the longest rejection of several rotations, from their requests with new
    /// credentials.
    fn longest<'record, Kinds>(rolls: impl Iterator<Item = Kinds>) -> Self
    where
        Kinds: Iterator<Item = &'record Presented>,
    {
        let of_roll = |kinds: Kinds| {
            let (mut rejected, mut accepted) = (None, None);
            for kind in kinds {
                rejected = later(rejected, kind.last_refused_s);
                accepted = later(accepted, kind.last_accepted_s);
            }
            match (rejected, accepted) {
                (None, _) => Self::Never,
                (Some(rejected), Some(accepted)) if accepted > rejected => Self::Seconds(rejected),
                (Some(rejected), _) => Self::UntilEnd(rejected),
            }
        };
        rolls.map(of_roll).max_by(|one, other| one.order().total_cmp(&other.order())).unwrap_or(Self::Never)
    }

    fn order(&self) -> f64 {
        match self {
            Self::Never => -1.0,
            Self::Seconds(seconds) => *seconds,
            Self::UntilEnd(_) => f64::INFINITY,
        }
    }
}

fn later(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}

impl RaceRow {
    fn of(race: &Race) -> Option<Self> {
        let of_million = |share: f64| share * 1e6;
        let share = wilson(race.killed, race.families, CONFIDENCE)?;
        Some(Self {
            grace_s: race.grace_s,
            clients: race.clients,
            families: race.families,
            granted: race.granted as f64 / race.families as f64,
            revoked: race.killed,
            revoked_ppm: of_million(race.killed as f64 / race.families as f64),
            interval_ppm: Interval { low: of_million(share.low), high: of_million(share.high), level: share.level },
            spread_us: race.spread_us,
        })
    }
}

impl ReplayRow {
    const fn of(replay: &Replay) -> Self {
        Self {
            grace_s: replay.grace_s,
            age_s: replay.age_s,
            families: replay.families,
            passed: replay.passed,
            revoked: replay.killed,
        }
    }
}

fn refresh_burst_rows(storms: &[RefreshBurst]) -> Vec<RefreshBurstRow> {
    let valid: Vec<&RefreshBurst> = storms.iter().filter(|storm| storm.validity.valid && mean(storm) > 0.0).collect();
    let mut jitters: Vec<f64> = valid.iter().map(|storm| storm.jitter).collect();
    jitters.sort_by(f64::total_cmp);
    jitters.dedup_by(|one, other| one.total_cmp(other).is_eq());
    let with_jitter = |jitter: f64| valid.iter().copied().filter(move |storm| storm.jitter.total_cmp(&jitter).is_eq());
    jitters
        .into_iter()
        .filter_map(|jitter| RefreshBurstRow::of(jitter, &with_jitter(jitter).collect::<Vec<_>>()))
        .collect()
}

/// Returns the mean number of refreshes per bin.
fn mean(storm: &RefreshBurst) -> f64 {
    storm.arrivals.iter().sum::<u64>() as f64 / storm.arrivals.len().max(1) as f64
}

/// Returns the busiest bin of each period, divided by the mean of all bins.
fn peaks(storm: &RefreshBurst) -> Vec<f64> {
    let bins = ((storm.period_s() / storm.bin_s).round() as usize).max(1);
    let peak = |period: &[u64]| period.iter().copied().max().unwrap_or(0) as f64 / mean(storm);
    storm.arrivals.chunks(bins).map(peak).collect()
}

impl RefreshBurstRow {
    fn of(jitter: f64, storms: &[&RefreshBurst]) -> Option<Self> {
        let curve = *storms.first()?;
        let peaks: Vec<Vec<f64>> = storms.iter().map(|storm| peaks(storm)).collect();
        let highest = |peaks: &Vec<f64>| peaks.iter().copied().fold(0.0, f64::max);
        let periods = peaks.iter().map(Vec::len).min().unwrap_or(0);
        Some(Self {
            jitter,
            bursts: storms.len(),
            peak_over_mean: median_value(peaks.iter().map(highest))?,
            by_period: (0..periods)
                .filter_map(|period| median_value(peaks.iter().map(|peaks| peaks[period])))
                .collect(),
            without_jitter: median_value(storms.iter().map(|storm| storm.period_s() / storm.issued_s))?,
            response_us_p99: median_value(storms.iter().filter_map(|storm| storm.response_us.p99).map(|us| us as f64)),
            supported: storms.iter().all(|storm| storm.response_us.supports(0.99)),
            curve: curve.clone(),
        })
    }
}
