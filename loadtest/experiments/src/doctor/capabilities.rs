//! What can be measured on this machine, according to all findings.

use contract::Scheme;
use engine::Experiment;

use super::finding::{Finding, State};

/// What can be measured on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// Every experiment, and whether it can be measured.
    pub experiments: Vec<(Experiment, Measurability)>,
    /// The schemes that can be measured.
    pub schemes: Vec<Scheme>,
    /// The schemes that cannot be measured.
    pub excluded_schemes: Vec<Scheme>,
}

/// Whether an experiment can be measured. The names are those of the findings that restrict it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measurability {
    /// Without restriction.
    Full,
    /// Less accurately.
    LessAccurate(Vec<&'static str>),
    /// Not at all.
    Impossible(Vec<&'static str>),
}

impl Capabilities {
    /// Derives the capabilities from the findings.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let is_excluded =
            |scheme: &Scheme| findings.iter().any(|each| each.assessment.excluded_schemes.contains(scheme));
        let (excluded_schemes, schemes) = Scheme::all().partition(is_excluded);
        let experiments =
            Experiment::all().map(|experiment| (experiment, measurability(findings, experiment))).collect();
        Self { experiments, schemes, excluded_schemes }
    }
}

fn measurability(findings: &[Finding], experiment: Experiment) -> Measurability {
    let reasons = |state| {
        let of_state = findings.iter().filter(|each| each.assessment.state == state);
        of_state.filter(|each| each.assessment.experiments.contains(&experiment)).map(|each| each.name).collect()
    };
    let (prevent, limit): (Vec<_>, Vec<_>) = (reasons(State::Missing), reasons(State::Limited));
    if !prevent.is_empty() {
        Measurability::Impossible(prevent)
    } else if !limit.is_empty() {
        Measurability::LessAccurate(limit)
    } else {
        Measurability::Full
    }
}

#[cfg(test)]
mod tests {
    use engine::experiment::Need;
    use engine::record::{CostExperiment, LatencyExperiment, ScalingExperiment};

    use super::super::finding::Assessment;
    use super::*;

    #[test]
    fn missing_finding_outweighs_a_limited_one() {
        let redis: Vec<Scheme> = Scheme::all().filter(|scheme| scheme.id() == "session-redis").collect();
        let (cost, scaling) = (CostExperiment::EXPERIMENT, ScalingExperiment::EXPERIMENT);
        let limited = Assessment { experiments: vec![scaling, cost], ..Assessment::limited("", "", "") };
        let findings = [
            Finding { name: "processors", assessment: limited },
            Finding { name: "cpu-quotas", assessment: Assessment::missing("", "", "").of(Need::CpuQuotas) },
            Finding { name: "redis", assessment: Assessment::missing("", "", "").without(redis.clone()) },
            Finding { name: "lag", assessment: Assessment::good("", "").of(Need::RateOfCapacity) },
        ];
        let capabilities = Capabilities::of(&findings);
        let measurability =
            |wanted| &capabilities.experiments.iter().find(|(experiment, _)| *experiment == wanted).unwrap().1;
        assert_eq!(*measurability(scaling), Measurability::Impossible(vec!["cpu-quotas"]));
        assert_eq!(*measurability(cost), Measurability::LessAccurate(vec!["processors"]));
        assert_eq!(*measurability(LatencyExperiment::EXPERIMENT), Measurability::Full);
        assert_eq!(capabilities.excluded_schemes, redis);
        assert_eq!(capabilities.schemes.len() + 1, Scheme::all().count());
    }
}
