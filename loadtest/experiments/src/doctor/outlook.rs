//! What can be measured on this machine, according to all findings.

use contract::Scheme;
use engine::Experiment;

use super::finding::{Finding, State};

/// What can be measured on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Every experiment, and whether it can be measured.
    pub experiments: Vec<(Experiment, Reach)>,
    /// The schemes that can be measured.
    pub schemes: Vec<Scheme>,
    /// The schemes that cannot be measured.
    pub left_out: Vec<Scheme>,
}

/// Whether an experiment can be measured. The names are those of the findings that restrict it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Without restriction.
    Whole,
    /// Less accurately.
    LessExact(Vec<&'static str>),
    /// Not at all.
    Nothing(Vec<&'static str>),
}

impl Outlook {
    /// Derives the outlook from the findings.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let is_left_out = |scheme: &Scheme| findings.iter().any(|each| each.judgement.left_out.contains(scheme));
        let (left_out, schemes) = Scheme::all().partition(is_left_out);
        let experiments = Experiment::all().map(|experiment| (experiment, reach(findings, experiment))).collect();
        Self { experiments, schemes, left_out }
    }
}

fn reach(findings: &[Finding], experiment: Experiment) -> Reach {
    let reasons = |state| {
        let of_state = findings.iter().filter(|each| each.judgement.state == state);
        of_state.filter(|each| each.judgement.experiments.contains(&experiment)).map(|each| each.name).collect()
    };
    let (prevent, limit): (Vec<_>, Vec<_>) = (reasons(State::Missing), reasons(State::Limited));
    if !prevent.is_empty() {
        Reach::Nothing(prevent)
    } else if !limit.is_empty() {
        Reach::LessExact(limit)
    } else {
        Reach::Whole
    }
}

#[cfg(test)]
mod tests {
    use engine::experiment::Need;
    use engine::record::{CostExperiment, LatencyExperiment, ScalingExperiment};

    use super::super::finding::Judgement;
    use super::*;

    #[test]
    fn missing_finding_outweighs_a_limited_one() {
        let redis: Vec<Scheme> = Scheme::all().filter(|scheme| scheme.id() == "session-redis").collect();
        let (cost, scaling) = (CostExperiment::EXPERIMENT, ScalingExperiment::EXPERIMENT);
        let limited = Judgement { experiments: vec![scaling, cost], ..Judgement::limited("", "", "") };
        let findings = [
            Finding { name: "processors", judgement: limited },
            Finding { name: "slices", judgement: Judgement::missing("", "", "").of(Need::Sliced) },
            Finding { name: "redis", judgement: Judgement::missing("", "", "").without(redis.clone()) },
            Finding { name: "lag", judgement: Judgement::good("", "").of(Need::RateOfCapacity) },
        ];
        let outlook = Outlook::of(&findings);
        let reach = |wanted| &outlook.experiments.iter().find(|(experiment, _)| *experiment == wanted).unwrap().1;
        assert_eq!(*reach(scaling), Reach::Nothing(vec!["slices"]));
        assert_eq!(*reach(cost), Reach::LessExact(vec!["processors"]));
        assert_eq!(*reach(LatencyExperiment::EXPERIMENT), Reach::Whole);
        assert_eq!(outlook.left_out, redis);
        assert_eq!(outlook.schemes.len() + 1, Scheme::all().count());
    }
}
