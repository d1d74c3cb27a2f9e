//! The charts as SVG files, for Markdown: `ECharts` and our own script, run by an embedded
//! `QuickJS`.
//!
//! The same script draws in the browser, so both show the same chart.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use rquickjs::{CatchResultExt as _, Context, Ctx, Function, Runtime};

use crate::File;
use crate::assets::{CHARTS, ECHARTS};
use crate::chart::Chart;
use crate::printable::printable;
use crate::slug::slug;

/// Functions that a browser has and `QuickJS` lacks; and a fixed random number, because a report is
/// a pure function.
const BROWSER_STUBS: &str = "
    globalThis.setTimeout = () => 0;
    globalThis.clearTimeout = () => undefined;
    Math.random = () => 0.5;
";

/// The colour theme of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Returns the chart's file, relative to the run's folder.
pub(crate) fn file_name(chart: &Chart, theme: Theme) -> String {
    format!("charts/{}-{}.svg", slug(&chart.name), theme.name())
}

/// The charts' files, and the charts that could not be drawn.
pub(crate) struct DrawnCharts {
    pub(crate) files: Vec<File>,
    pub(crate) missing: Vec<MissingChart>,
}

/// A chart that could not be drawn.
pub(crate) struct MissingChart {
    /// Its name.
    pub(crate) chart: String,
    /// The error of the script.
    pub(crate) reason: String,
}

/// Draws two files per chart, one per theme, on all processors. A chart that cannot be drawn does not affect the
/// others. The files are in the order of the charts.
pub(crate) fn draw_all(charts: &[&Chart]) -> DrawnCharts {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(charts.len());
    let next = AtomicUsize::new(0);
    let mut drawn: Vec<(usize, Result<Vec<File>, String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| draw_some(charts, &next))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the script has no panics")).collect()
    });
    drawn.sort_by_key(|(index, _)| *index);
    let mut all = DrawnCharts { files: Vec::with_capacity(charts.len() * 2), missing: Vec::new() };
    for (index, files) in drawn {
        match files {
            Ok(files) => all.files.extend(files),
            Err(reason) => all.missing.push(MissingChart { chart: charts[index].name.clone(), reason }),
        }
    }
    all
}

/// Draws charts from `next` on that no other thread draws, with their indices.
fn draw_some(charts: &[&Chart], next: &AtomicUsize) -> Vec<(usize, Result<Vec<File>, String>)> {
    let mine =
        || std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|index| *index < charts.len());
    with_script(|ctx, draw| mine().map(|index| (index, both_themes(ctx, draw, charts[index]))).collect())
        .unwrap_or_else(|reason| mine().map(|index| (index, Err(reason.clone()))).collect())
}

/// Calls a closure with the function that draws.
fn with_script<T>(then: impl for<'js> FnOnce(&Ctx<'js>, &Function<'js>) -> T) -> Result<T, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let context = Context::full(&runtime).map_err(|error| error.to_string())?;
    context.with(|ctx| {
        let draw = prepare(&ctx)?;
        Ok(then(&ctx, &draw))
    })
}

fn both_themes<'js>(ctx: &Ctx<'js>, draw: &Function<'js>, chart: &Chart) -> Result<Vec<File>, String> {
    let file = |theme| {
        let drawn = self::draw(ctx, draw, chart, theme)?;
        Ok(File::new(file_name(chart, theme), printable(&drawn).into_owned()))
    };
    [Theme::Light, Theme::Dark].into_iter().map(file).collect()
}

/// Loads the scripts and returns the function that draws.
fn prepare<'js>(ctx: &Ctx<'js>) -> Result<Function<'js>, String> {
    for script in [BROWSER_STUBS, ECHARTS, CHARTS] {
        ctx.eval::<(), _>(script).catch(ctx).map_err(|error| error.to_string())?;
    }
    ctx.eval("authbenchCharts.svg").catch(ctx).map_err(|error| error.to_string())
}

fn draw<'js>(ctx: &Ctx<'js>, draw: &Function<'js>, chart: &Chart, theme: Theme) -> Result<String, String> {
    draw.call::<_, String>((chart.json(), theme.name())).catch(ctx).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{ChartData, TimelinePoint};

    fn timeline(name: &str, points: u32) -> Chart {
        let point = |second: u32| TimelinePoint {
            start_s: f64::from(second),
            rate_rps: 100.0,
            failed: 0,
            response_us_p50: Some(300),
            response_us_p99: Some(900),
            service_us_p99: Some(800),
        };
        let data = ChartData::Timeline { window: (0.0, f64::from(points)), points: (0..points).map(point).collect() };
        Chart { name: name.to_owned(), title: name.to_owned(), alt: String::new(), width: 860, height: 460, data }
    }

    /// The script passes all points to one call, which takes 65,535 arguments at most.
    #[test]
    fn chart_that_cannot_be_drawn_does_not_affect_others() {
        let charts = [timeline("first", 10), timeline("endless", 70_000), timeline("last", 10)];
        let drawn = draw_all(&charts.iter().collect::<Vec<_>>());
        let [missing] = &drawn.missing[..] else { panic!("{} are missing", drawn.missing.len()) };
        assert_eq!(missing.chart, "endless");
        assert!(!missing.reason.is_empty());
        let names: Vec<&str> = drawn.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            ["charts/first-light.svg", "charts/first-dark.svg", "charts/last-light.svg", "charts/last-dark.svg"]
        );
    }
}
