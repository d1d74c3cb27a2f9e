//! The output of `doctor --json`: one object with stable keys.

use experiments::doctor::{Capabilities, Finding, Measurability};
use serde::Serialize;

/// The findings, and what can be measured according to them.
#[derive(Debug, Serialize)]
pub(crate) struct DoctorResult<'a> {
    /// In a fixed order, each name once.
    findings: Vec<FindingResult<'a>>,
    /// Every experiment.
    experiments: Vec<ExperimentResult<'a>>,
    /// The ids of the schemes that can be measured.
    schemes: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct FindingResult<'a> {
    /// Stable, such as `generator-ceiling`.
    name: &'static str,
    /// `good`, `limited` (some results are less accurate) or `missing` (some experiments or schemes cannot be
    /// measured).
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
struct ExperimentResult<'a> {
    name: String,
    /// `whole`, `less-exact` or `nothing`.
    measurable: &'static str,
    /// The names of the findings that restrict it.
    because: &'a [&'static str],
}

impl<'a> DoctorResult<'a> {
    pub(crate) fn of(findings: &'a [Finding], capabilities: &'a Capabilities) -> Self {
        Self {
            findings: findings.iter().map(finding_result).collect(),
            experiments: capabilities
                .experiments
                .iter()
                .map(|(name, measurability)| experiment_result(name.to_string(), measurability))
                .collect(),
            schemes: capabilities.schemes.iter().map(|scheme| scheme.id()).collect(),
        }
    }
}

fn finding_result(Finding { name, assessment }: &Finding) -> FindingResult<'_> {
    FindingResult {
        name,
        state: assessment.state.to_string(),
        found: &assessment.observation,
        means: &assessment.effect,
        to_do: assessment.advice.as_deref(),
        experiments: assessment.experiments.iter().map(ToString::to_string).collect(),
        schemes_left_out: assessment.excluded_schemes.iter().map(|scheme| scheme.id()).collect(),
    }
}

fn experiment_result(name: String, measurability: &Measurability) -> ExperimentResult<'_> {
    let (measurable, because): (_, &[_]) = match measurability {
        Measurability::Full => ("whole", &[]),
        Measurability::LessAccurate(because) => ("less-exact", because),
        Measurability::Impossible(because) => ("nothing", because),
    };
    ExperimentResult { name, measurable, because }
}
