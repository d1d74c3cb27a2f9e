//! The percentile distribution, as `HdrHistogram`'s own tools and `wrk2` print it.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

/// Lines per halving of the distance to 100 %.
const TICKS_PER_HALF_DISTANCE: u32 = 5;
/// Microseconds per unit of the file: plotters expect milliseconds.
const US_PER_MS: f64 = 1000.0;

/// Returns the text of a `.hgrm`.
pub(super) fn of(histogram: &Histogram<u64>) -> String {
    let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / US_PER_MS;
        let quantile = step.quantile_iterated_to();
        let _ = write!(out, "{value:12.3} {quantile:2.12} {total:10}");
        let _ = if quantile < 1.0 { writeln!(out, " {:14.2}", 1.0 / (1.0 - quantile)) } else { writeln!(out) };
    }
    out + &footer(histogram)
}

fn footer(histogram: &Histogram<u64>) -> String {
    let sub_buckets = (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    format!(
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n#[Max     = {:12.3}, Total count    = {:12}]\n#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]\n",
        histogram.mean() / US_PER_MS,
        histogram.stdev() / US_PER_MS,
        histogram.max() as f64 / US_PER_MS,
        histogram.len(),
        histogram.buckets(),
    )
}
