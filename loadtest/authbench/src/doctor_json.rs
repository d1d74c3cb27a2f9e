//! The output of `doctor --json`: one object with stable keys.

use experiments::doctor::{Finding, Outlook, Reach};
use serde::Serialize;

/// The findings, and what can be measured according to them.
#[derive(Debug, Serialize)]
pub(crate) struct Examined<'a> {
    /// In a fixed order, each name once.
    findings: Vec<Found<'a>>,
    /// Every experiment.
    experiments: Vec<Reached<'a>>,
    /// The ids of the schemes that can be measured.
    schemes: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    /// Stable, such as `generator-ceiling`.
    name: &'static str,
    /// `good`, `limited` (some results are less accurate) or `missing` (some experiments or schemes cannot be measured).
    state: String,
    /// What was found, with units.
    found: &'a str,
    /// What it means for the experiments.
    means: &'a str,
    /// What to do about it; null if the state is good.
    to_do: Option<&'a str>,
    /// The experiments that are less accurate (`limited`) or cannot be measured (`missing`) because of it.
    experiments: Vec<String>,
    /// The ids of the schemes that cannot be measured because of it.
    schemes_left_out: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Reached<'a> {
    name: String,
    /// `whole`, `less-exact` or `nothing`.
    measurable: &'static str,
    /// The names of the findings that restrict it.
    because: &'a [&'static str],
}

impl<'a> Examined<'a> {
    pub(crate) fn of(findings: &'a [Finding], outlook: &'a Outlook) -> Self {
        Self {
            findings: findings.iter().map(found).collect(),
            experiments: outlook.experiments.iter().map(|(name, reach)| reached(name.to_string(), reach)).collect(),
            schemes: outlook.schemes.iter().map(|scheme| scheme.id()).collect(),
        }
    }
}

fn found(Finding { name, judgement }: &Finding) -> Found<'_> {
    Found {
        name,
        state: judgement.state.to_string(),
        found: &judgement.found,
        means: &judgement.means,
        to_do: judgement.advice.as_deref(),
        experiments: judgement.experiments.iter().map(ToString::to_string).collect(),
        schemes_left_out: judgement.left_out.iter().map(|scheme| scheme.id()).collect(),
    }
}

fn reached(name: String, reach: &Reach) -> Reached<'_> {
    let (measurable, because): (_, &[_]) = match reach {
        Reach::Whole => ("whole", &[]),
        Reach::LessExact(because) => ("less-exact", because),
        Reach::Nothing(because) => ("nothing", because),
    };
    Reached { name, measurable, because }
}
