//! `toy`: how large is the response to a request without a credential? A minimal example of an experiment, for tests
//! only.

use std::collections::BTreeMap;

use contract::route;
use engine::record::{ToyExperiment, ToyPoint};
use lab::http::DEADLINE;

use crate::Run;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunContext};

impl Run for ToyExperiment {
    type Parameters = ();

    fn parameters(_: Profile) {}

    fn run(context: &mut RunContext<'_>, (): &()) -> Result<(), ExperimentError> {
        let config = context.config;
        context.progress.begin("toy", config.schemes.len() as u64);
        for &scheme in &config.schemes {
            context.step(scheme.id())?;
            let server = context.start(&context.spec(scheme, config.store(scheme))?)?;
            let response = server.client().get(route::HEALTHZ, &BTreeMap::new(), DEADLINE)?;
            let point = ToyPoint { scheme: scheme.id().to_owned(), body_bytes: response.body.len() as u64 };
            context.journal.measured(|toy: &mut ToyExperiment| toy.points.push(point))?;
        }
        Ok(())
    }
}
