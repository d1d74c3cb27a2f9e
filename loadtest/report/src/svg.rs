//! The charts as SVG files, for Markdown: `ECharts` and our own script, run by an embedded `QuickJS`.
//!
//! The very script that draws in the browser draws here, so both show the same chart.

use rquickjs::{CatchResultExt as _, Context, Ctx, Function, Runtime};

use crate::assets::{CHARTS, ECHARTS};
use crate::chart::Chart;
use crate::slug::slug;
use crate::{File, ReportError};

/// What a browser has and the language has not; and chance, which must not be in a pure function.
const SURROUNDINGS: &str = "
    globalThis.setTimeout = () => 0;
    globalThis.clearTimeout = () => undefined;
    Math.random = () => 0.5;
";

/// The colours that a chart is drawn in.
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

/// The chart's file, relative to the run's folder.
pub(crate) fn file_name(chart: &Chart, theme: Theme) -> String {
    format!("charts/{}-{}.svg", slug(&chart.name), theme.name())
}

/// Two files a chart, one a theme.
pub(crate) fn files(charts: Vec<&Chart>) -> Result<Vec<File>, ReportError> {
    let script = |reason: String| ReportError::Chart { chart: "the library".to_owned(), reason };
    let runtime = Runtime::new().map_err(|error| script(error.to_string()))?;
    let context = Context::full(&runtime).map_err(|error| script(error.to_string()))?;
    context.with(|ctx| {
        let draw = prepare(&ctx).map_err(script)?;
        let mut files = Vec::with_capacity(charts.len() * 2);
        for chart in charts {
            for theme in [Theme::Light, Theme::Dark] {
                files.push(File::new(file_name(chart, theme), self::draw(&ctx, &draw, chart, theme)?));
            }
        }
        Ok(files)
    })
}

/// Loads the scripts; gives the function that draws.
fn prepare<'js>(ctx: &Ctx<'js>) -> Result<Function<'js>, String> {
    for script in [SURROUNDINGS, ECHARTS, CHARTS] {
        ctx.eval::<(), _>(script).catch(ctx).map_err(|error| error.to_string())?;
    }
    ctx.eval("authbenchCharts.svg").catch(ctx).map_err(|error| error.to_string())
}

fn draw<'js>(ctx: &Ctx<'js>, draw: &Function<'js>, chart: &Chart, theme: Theme) -> Result<String, ReportError> {
    let data = serde_json::to_string(chart).expect("charts hold numbers and text");
    let drawn = draw.call::<_, String>((data, theme.name())).catch(ctx);
    drawn.map_err(|error| ReportError::Chart { chart: chart.name.clone(), reason: error.to_string() })
}
