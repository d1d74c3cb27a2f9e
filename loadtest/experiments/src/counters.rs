//! `counters`: what does a request make the server do?
//!
//! Varies: the scheme. Holds: the request (`GET /me`), the carrier, the credentials, which are used in turn, one request
//! at a time over one connection, one worker.
//!
//! Counts instructions, allocations, system calls, commands of the store and bytes. Counts hardly depend on the machine's
//! speed and load, so that they can be repeated to the per mille where CPU times differ by a factor of two from day to
//! day. The processes of a scheme are new ones, and each counts several segments, so that the scatter is measured within
//! and between processes.
//!
//! Two things would make them scatter. The answer of a local store may arrive before or after the server waits for it,
//! which takes different paths: a delay proxy lets it always arrive after. And the work of the allocator depends on what
//! the heap went through before: its instructions are counted apart.
//!
//! Limitations: valgrind shows the server a processor without SHA extensions, and runs its threads one at a time; work of
//! the kernel is not counted; a server with more work at hand handles several events for one system call.

mod subject;

use engine::record::CountersExperiment;
use lab::child::Bounds;
use lab::server::ServerError;

use crate::Run;
use crate::blocks::{Turn, turns};
use crate::experiment_store::ExperimentStore;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunContext};

pub use subject::Amount;
pub(crate) use subject::Subject;

/// Why nothing can be counted.
pub const NO_VALGRIND: &str = "valgrind is not installed; install it, for example with `apt-get install valgrind`";

/// The parameters of the experiment `counters`.
#[derive(Clone, Debug)]
pub struct CountersParameters {
    /// New processes of every scheme.
    pub processes: u32,
    /// How much each process counts.
    pub amount: Amount,
}

impl Run for CountersExperiment {
    type Parameters = CountersParameters;

    fn parameters(profile: Profile) -> CountersParameters {
        CountersParameters { processes: profile.pick(2, 3, 2), amount: Amount { segments: 3, population: 50 } }
    }

    fn run(context: &mut RunContext<'_>, parameters: &CountersParameters) -> Result<(), ExperimentError> {
        let Some(version) = lab::host::valgrind_version() else {
            return Ok(context.journal.omit("counters", NO_VALGRIND)?);
        };
        context.journal.software("valgrind", &version);
        let schemes = &context.config.schemes;
        context.progress.begin("counters", u64::from(parameters.processes) * schemes.len() as u64);
        for Turn { block: process, item: scheme, .. } in turns(schemes, 0..parameters.processes, context.config.seed) {
            context.step(scheme.id())?;
            let program = lab::server::locate(scheme.binary()).map_err(ServerError::from)?;
            let bounds = Bounds::on(&context.config.placement.store_cpus);
            let store = ExperimentStore::start_empty(context, scheme.store(), "counters", &bounds)?;
            let subject = Subject::new(context, scheme, program, "counters", store)?;
            let (descriptor, segments) = subject.count(process, parameters.amount)?;
            context.journal.describe(descriptor);
            context.journal.measured(|counters: &mut CountersExperiment| counters.segments.extend(segments))?;
            // One pair of processes per scheme, since each takes as long as a process with segments: their scatter is not
            // known.
            if process == 0 {
                let heap = subject.count_heap(parameters.amount.population)?;
                context.journal.measured(|counters: &mut CountersExperiment| counters.heaps.push(heap))?;
            }
        }
        Ok(())
    }
}
