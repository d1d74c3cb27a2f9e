//! `toy`: how large is the response to a request without a credential? A minimal example of an experiment, for tests
//! only.

use std::collections::BTreeMap;

use contract::route;
use engine::record::{ToyExperiment, ToyPoint};
use lab::http::DEADLINE;

use crate::Run;
use crate::bench::{Bench, ExperimentError};
use crate::profile::Profile;

impl Run for ToyExperiment {
    type Parameters = ();

    fn parameters(_: Profile) {}

    fn run(bench: &mut Bench<'_>, (): &()) -> Result<(), ExperimentError> {
        let setting = bench.setting;
        bench.progress.begin("toy", setting.schemes.len() as u64);
        for &scheme in &setting.schemes {
            bench.step(scheme.id())?;
            let server = bench.start(&bench.spec(scheme, setting.store(scheme))?)?;
            let answer = server.client().get(route::HEALTHZ, &BTreeMap::new(), DEADLINE)?;
            let point = ToyPoint { scheme: scheme.id().to_owned(), body_bytes: answer.body.len() as u64 };
            bench.journal.measured(|toy: &mut ToyExperiment| toy.points.push(point))?;
        }
        Ok(())
    }
}
