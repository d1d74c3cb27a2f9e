//! A plan in words.

use engine::plan::{Arrivals, Choice, Mix, Plan};

use crate::figure::{count, grouped};

/// Describes the load, as a part of a sentence.
pub(super) fn describe(plan: &Plan) -> String {
    format!("{}; {}; {}", mix(plan.mix), arrivals(plan), population(plan))
}

fn mix(mix: Mix) -> String {
    match mix {
        Mix::Reads => "reads of `/me`".to_owned(),
        Mix::Chain { hops } => format!("reads of `/chain` over {}", count(hops as usize, "hop")),
        Mix::Journey { reads } => format!("journeys (login, {reads} reads, refresh, {reads} reads, logout)"),
    }
}

fn arrivals(plan: &Plan) -> String {
    let connections = grouped(f64::from(plan.connections));
    match plan.arrivals {
        Arrivals::Poisson { .. } => format!("random arrivals (Poisson) over at most {connections} connections"),
        Arrivals::Fixed { .. } => format!("evenly spaced arrivals over at most {connections} connections"),
        Arrivals::Closed => format!("{connections} connections, each always busy (closed loop)"),
    }
}

fn population(plan: &Plan) -> String {
    let size = grouped(f64::from(plan.population.size));
    match plan.population.choice {
        Choice::Uniform => format!("{size} live credentials, chosen uniformly"),
        Choice::Zipf { exponent } => format!("{size} live credentials, chosen by Zipf's law with exponent {exponent}"),
    }
}
