//! The `memory` experiment: bytes per live credential, as a slope.

use engine::record::{MemoryExperiment, MemoryPoint, Record};

use crate::cost::has_store;
use crate::group::schemes_in_order;
use crate::statistics::{CONFIDENCE, Estimate, Line, least_squares, mean};
use crate::warning::{if_any, invalid_points};
use crate::{Analyse, EvidenceError, Topic, Warning};

/// The fewest population sizes for a line: fewer do not show whether it is straight.
pub const MIN_POPULATIONS: usize = 4;
/// The R² below which the points are reported as not lying on a line.
const MIN_R_SQUARED: f64 = 0.98;

/// Bytes per live credential, by scheme.
#[derive(Clone, Debug)]
pub struct MemoryTable {
    /// One row per scheme.
    pub rows: Vec<MemoryRow>,
}

/// Bytes per live credential with one scheme.
#[derive(Clone, Debug)]
pub struct MemoryRow {
    /// The scheme's id.
    pub scheme: String,
    /// Fills of a fresh process behind the slopes.
    pub series: usize,
    /// Valid points of all series.
    pub points: Vec<MemoryPoint>,
    /// Invalid points: they are excluded from all figures.
    pub excluded: usize,
    /// Different population sizes among the valid points.
    pub populations: usize,
    /// The slopes; none if no series has [`MIN_POPULATIONS`] valid sizes.
    pub slope: Option<Slope>,
}

/// Bytes per live credential, and the fixed part.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    /// Of the server, by its proportional set size.
    pub server: Estimate,
    /// Of the store, by the memory that it reports as used; none without one, or if it was not
    /// observed.
    pub store: Option<Estimate>,
    /// Of the store, by its resident set size.
    pub store_rss: Option<Estimate>,
    /// Of server and store; none if there is a store that was not observed.
    pub total: Option<Estimate>,
    /// Bytes of server and store without credentials, from the lines.
    pub fixed_bytes: f64,
    /// The basis of the intervals.
    pub basis: SlopeBasis,
    /// The lowest share of variance that the line of a series explains, server and store together.
    pub r_squared: f64,
}

/// The basis of the interval of a slope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlopeBasis {
    /// Several fills: Student's t over their slopes.
    ///
    /// A fill is the sample, as a round is for times: points of one fill share an allocator and a
    /// hash table and are correlated. A bootstrap of so few fills cannot extend beyond the values
    /// drawn.
    BetweenSeries,
    /// One fill: Student's t over its points' distances from the line.
    ///
    /// It does not include the variation between processes.
    WithinSeries,
}

impl Analyse for MemoryExperiment {
    type Table = MemoryTable;

    fn analyse(&self, record: &Record) -> Result<Option<MemoryTable>, EvidenceError> {
        Ok(Some(MemoryTable::of(record, self)))
    }

    fn warnings(&self, _: &Record, table: Option<&MemoryTable>) -> Vec<Warning> {
        let place = |point: &MemoryPoint| format!("{} at {} credentials", point.scheme, point.population);
        let points = self.points.iter().map(|point| (place(point), &point.validity));
        let mut warnings = invalid_points(Self::EXPERIMENT, points);
        warnings.extend(table.into_iter().flat_map(MemoryTable::warnings));
        warnings
    }
}

impl MemoryTable {
    fn warnings(&self) -> Vec<Warning> {
        let warning = |text: String| Topic::Statistics.warning(format!("memory: {text}"));
        let without_slope = self.rows.iter().filter(|row| row.slope.is_none()).map(|row| {
            warning(format!(
                "no fill of {} has {MIN_POPULATIONS} valid population sizes ({} in total), so there is no slope.",
                row.scheme, row.populations
            ))
        });
        let with_slope = || self.rows.iter().filter_map(|row| row.slope.as_ref().map(|slope| (row, slope)));
        let nonlinear = with_slope().filter(|(_, slope)| slope.r_squared < MIN_R_SQUARED && !slope.may_be_flat());
        let nonlinear = nonlinear.map(|(row, slope)| {
            warning(format!(
                "the points of {} do not lie on a line (R² = {:.3}): the slope is an average over the sizes tried.",
                row.scheme, slope.r_squared
            ))
        });
        let single = with_slope().filter(|(_, slope)| slope.basis == SlopeBasis::WithinSeries);
        let single: Vec<&str> = single.map(|(row, _)| row.scheme.as_str()).collect();
        let single = if_any(&single, |schemes| {
            warning(format!(
                "there was only one fill of {}: their intervals include the scatter about the line but not the \
                 variation between processes, and are too narrow.",
                schemes.join(", ")
            ))
        });
        without_slope.chain(nonlinear).chain(single).collect()
    }

    fn of(record: &Record, memory: &MemoryExperiment) -> Self {
        let schemes = schemes_in_order(record, memory.points.iter().map(|point| &point.scheme));
        Self { rows: schemes.into_iter().map(|scheme| MemoryRow::of(record, scheme, &memory.points)).collect() }
    }
}

impl MemoryRow {
    pub(crate) fn of(record: &Record, scheme: &str, points: &[MemoryPoint]) -> Self {
        let of_scheme: Vec<&MemoryPoint> = points.iter().filter(|point| point.scheme == scheme).collect();
        let valid: Vec<MemoryPoint> = of_scheme.iter().copied().filter(|point| point.validity.valid).cloned().collect();
        let fills: Vec<Vec<&MemoryPoint>> =
            series(&valid).into_iter().filter(|fill| sizes(fill) >= MIN_POPULATIONS).collect();
        Self {
            scheme: scheme.to_owned(),
            series: fills.len(),
            excluded: of_scheme.len() - valid.len(),
            populations: sizes(&valid.iter().collect::<Vec<_>>()),
            slope: Slope::of(&fills, has_store(record, scheme)),
            points: valid,
        }
    }
}

fn series(points: &[MemoryPoint]) -> Vec<Vec<&MemoryPoint>> {
    let mut numbers: Vec<u32> = points.iter().map(|point| point.series).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(|number| points.iter().filter(|point| point.series == number).collect()).collect()
}

fn sizes(points: &[&MemoryPoint]) -> usize {
    let mut sizes: Vec<u64> = points.iter().map(|point| point.population).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.len()
}

type Bytes = fn(&MemoryPoint) -> Option<u64>;

const SERVER: Bytes = |point| Some(point.server_pss_bytes);
const STORE: Bytes = |point| point.store_used_bytes;
const STORE_RSS: Bytes = |point| point.store_rss_bytes;
const BOTH: Bytes = |point| Some(point.server_pss_bytes + point.store_used_bytes?);

impl Slope {
    /// Returns whether the slope cannot be distinguished from zero: R² is then that of noise.
    fn may_be_flat(&self) -> bool {
        self.total.unwrap_or(self.server).interval.is_none_or(|interval| interval.contains(0.0))
    }

    fn of(fills: &[Vec<&MemoryPoint>], with_store: bool) -> Option<Self> {
        let total = lines(fills, if with_store { BOTH } else { SERVER });
        let server = lines(fills, SERVER)?;
        let combined = total.as_ref().unwrap_or(&server);
        let store_slope = |of: Bytes| lines(fills, of).filter(|_| with_store).and_then(|lines| slope(&lines));
        Some(Self {
            server: slope(&server)?,
            store: store_slope(STORE),
            store_rss: store_slope(STORE_RSS),
            fixed_bytes: mean(&combined.iter().map(|line| line.intercept).collect::<Vec<_>>(), CONFIDENCE)?.value,
            basis: if fills.len() > 1 { SlopeBasis::BetweenSeries } else { SlopeBasis::WithinSeries },
            r_squared: combined.iter().map(|line| line.r_squared).fold(1.0, f64::min),
            total: total.as_ref().and_then(|lines| slope(lines)),
        })
    }
}

/// Returns one line per fill; none if a point lacks the figure.
fn lines(fills: &[Vec<&MemoryPoint>], of: Bytes) -> Option<Vec<Line>> {
    let line = |fill: &Vec<&MemoryPoint>| {
        let points: Option<Vec<(f64, f64)>> =
            fill.iter().map(|point| Some((point.population as f64, of(point)? as f64))).collect();
        least_squares(&points?, CONFIDENCE)
    };
    fills.iter().map(line).collect()
}

fn slope(lines: &[Line]) -> Option<Estimate> {
    match lines {
        [only] => Some(only.slope),
        several => mean(&several.iter().map(|line| line.slope.value).collect::<Vec<_>>(), CONFIDENCE),
    }
}
