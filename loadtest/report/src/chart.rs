//! The data of charts. `assets/charts.js` decides how they look, in the browser and in the SVG
//! files.

use contract::Scheme;
use engine::record::Record;
use serde::Serialize;

use crate::printable::printable_in_json;

/// The most schemes that a chart of lines can distinguish: the colours of `assets/charts.js`.
pub(crate) const COLORS: usize = 10;

/// A chart.
#[derive(Serialize)]
pub(crate) struct Chart {
    /// Its file name without ending, and its anchor.
    pub(crate) name: String,
    pub(crate) title: String,
    /// A text alternative for readers who cannot see the chart.
    pub(crate) alt: String,
    /// In pixels of the SVG file; in the browser the width is that of the page.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) data: ChartData,
}

/// Points (x, y).
pub(crate) type Points = Vec<(f64, f64)>;

/// What a chart shows.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum ChartData {
    /// Bars of CPU time over the control, by part.
    Cost { groups: Vec<Group<CostBar>> },
    /// Percentile curves.
    Percentiles {
        /// What the solid lines are, such as `response`.
        shown: &'static str,
        /// The text below the axis after `percentile`.
        legend: &'static str,
        series: Vec<PercentileSeries>,
    },
    /// Response times by achieved rate.
    Throughput { series: Vec<ThroughputSeries> },
    /// The share of rounds that meet the objectives, by rate.
    Slo {
        #[serde(flatten)]
        subject: Subject,
        /// (requests per second, share, rounds).
        points: Vec<(f64, f64, u32)>,
        /// The curve through them; empty without one.
        law: Points,
        interval: Option<(f64, f64)>,
        /// The answer.
        found: Option<f64>,
    },
    /// Points and lines: measurements and the model fitted to them.
    Lines { x: LineAxis, y: LineUnit, series: Vec<LineSeries> },
    /// Request outcomes over time, one strip per scheme.
    Outage {
        interval_s: f64,
        /// Start and end of the fault, in seconds.
        fault: (f64, f64),
        strips: Vec<OutageStrip>,
    },
    /// Memory by number of credentials.
    Memory { series: Vec<MemorySeries> },
    /// Bars of bytes, by number of roles.
    Wire { roles: Vec<u16>, limit_bytes: Option<u64>, groups: Vec<Group<WireBar>> },
    /// A load in time.
    Timeline { window: (f64, f64), points: Vec<TimelinePoint> },
}

/// Rows of a revocation class.
#[derive(Serialize)]
pub(crate) struct Group<Row> {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

/// A scheme's name and colour.
#[derive(Clone, Serialize)]
pub(crate) struct Subject {
    pub(crate) scheme: String,
    /// An index into the palette; null for the control, which is grey.
    pub(crate) color: Option<usize>,
}

/// Microseconds of CPU time over the control, per request.
#[derive(Serialize)]
pub(crate) struct CostBar {
    #[serde(flatten)]
    pub(crate) subject: Subject,
    pub(crate) server: f64,
    /// Null if the store was not observed.
    pub(crate) store: Option<f64>,
    /// The interval of their sum.
    pub(crate) interval: Option<(f64, f64)>,
    /// The sum in words.
    pub(crate) label: String,
}

/// Points (log10(1 / (1 - p)), microseconds).
#[derive(Serialize)]
pub(crate) struct PercentileSeries {
    #[serde(flatten)]
    pub(crate) subject: Subject,
    /// Up to where there are 100 samples above.
    pub(crate) shown: Points,
    /// The tail with fewer.
    pub(crate) doubtful: Points,
    /// Empty if there is no such time.
    pub(crate) service: Points,
}

/// One point per level, from low to high rates.
#[derive(Serialize)]
pub(crate) struct ThroughputSeries {
    #[serde(flatten)]
    pub(crate) subject: Subject,
    /// (requests per second, microseconds).
    pub(crate) p50: Points,
    pub(crate) p99: Points,
    pub(crate) levels: Vec<String>,
}

/// The x axis of a chart of lines.
#[derive(Serialize)]
pub(crate) struct LineAxis {
    /// The whole of it.
    pub(crate) name: String,
    /// The name of a value, such as `nodes`.
    pub(crate) word: String,
    /// The distance of two ticks.
    pub(crate) step: f64,
}

/// What the lines show.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LineUnit {
    /// Requests per second.
    Rate,
    /// Microseconds.
    Time,
}

/// Points of a scheme and the line that belongs to them.
#[derive(Serialize)]
pub(crate) struct LineSeries {
    #[serde(flatten)]
    pub(crate) subject: Subject,
    pub(crate) points: Points,
    /// Its corners; empty without one.
    pub(crate) line: Points,
    /// The interval of each point, in words; empty where there is none.
    pub(crate) intervals: Vec<String>,
}

/// The request outcomes of a scheme over time.
#[derive(Serialize)]
pub(crate) struct OutageStrip {
    #[serde(flatten)]
    pub(crate) subject: Subject,
    /// Shares of each interval, of 1: good, lost, 503, no response, wrong.
    pub(crate) shares: Vec<[f64; 5]>,
}

/// Bytes beyond the fixed part, server and store together.
#[derive(Serialize)]
pub(crate) struct MemorySeries {
    #[serde(flatten)]
    pub(crate) subject: Subject,
    /// (credentials, bytes).
    pub(crate) points: Points,
    /// Both ends of the line.
    pub(crate) line: Points,
    pub(crate) label: String,
}

/// Request header bytes, one value per number of roles; null if none is valid.
#[derive(Serialize)]
pub(crate) struct WireBar {
    #[serde(flatten)]
    pub(crate) subject: Subject,
    pub(crate) bytes: Vec<Option<u64>>,
}

/// One interval of a load.
#[derive(Serialize)]
pub(crate) struct TimelinePoint {
    pub(crate) start_s: f64,
    pub(crate) rate_rps: f64,
    pub(crate) failed: u64,
    pub(crate) response_us_p50: Option<u64>,
    pub(crate) response_us_p99: Option<u64>,
    pub(crate) service_us_p99: Option<u64>,
}

impl Chart {
    /// Returns its data as JSON for the script.
    pub(crate) fn json(&self) -> String {
        let json = serde_json::to_string(self).expect("charts hold numbers and text");
        printable_in_json(&json).into_owned()
    }
}

impl Subject {
    /// Returns the scheme with its colour, which is the same in every chart of a run.
    ///
    /// The colour is the place among the run's schemes, in the order of the scheme table and
    /// unknown ones last. If there are more schemes than colours, it is the place among the schemes
    /// of the same revocation class, which then have separate charts.
    pub(crate) fn of(record: &Record, scheme: &str) -> Self {
        let in_table = |id: &str| Scheme::all().position(|each| each.id() == id).unwrap_or(usize::MAX);
        let mut others: Vec<_> = record.schemes.iter().filter(|each| each.scheme != Scheme::CONTROL.id()).collect();
        others.sort_by_key(|each| in_table(&each.scheme));
        if others.len() > COLORS {
            let class = others.iter().find(|each| each.scheme == scheme).and_then(|each| each.revocation_class);
            others.retain(|each| each.revocation_class == class);
        }
        let color = others.iter().position(|each| each.scheme == scheme);
        Self { scheme: scheme.to_owned(), color }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_theme_has_all_colours_and_symbols() {
        let lists: Vec<usize> = crate::assets::CHARTS
            .lines()
            .filter(|line| line.trim_start().starts_with("palette: [") || line.contains("SYMBOLS = ["))
            .map(|line| line.split(',').filter(|part| part.contains('\'')).count())
            .collect();
        assert_eq!(lists, [super::COLORS; 3]);
    }
}
