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

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use contract::{Scheme, Touch, route};
use engine::record::{CountedHeap, CountedSegment, CountersExperiment, Validity};
use lab::child::Bounds;
use lab::counters::{self, Connection, CountedServer, HeapTotal};
use lab::proxy::{DelayProxy, Link};
use lab::server::{Server, ServerError, ServerSpec};
use lab::store::Store;

use crate::Run;
use crate::blocks::{Turn, turns};
use crate::experiment_store::ExperimentStore;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunContext};

/// Round-trip time to the store: longer than a server under valgrind takes from sending a command until it waits.
const STORE_RTT: Duration = Duration::from_millis(4);
/// Passwords are hashed at the start only: with little memory, valgrind starts a server in a second.
const PASSWORD_KIB: &str = "8";

/// Passes over all credentials that the longer of two lives under DHAT has more.
const HEAP_PASSES: u32 = 2;
/// Pairs of lives, of which the first that can be compared is used.
const HEAP_ATTEMPTS: u32 = 3;

/// The parameters of the experiment `counters`.
#[derive(Clone, Debug)]
pub struct CountersParameters {
    /// New processes of every scheme.
    pub processes: u32,
    /// Segments that each process counts.
    pub segments: u32,
    /// Number of credentials; each is used once in every segment.
    pub population: u32,
}

impl Run for CountersExperiment {
    type Parameters = CountersParameters;

    fn parameters(profile: Profile) -> CountersParameters {
        CountersParameters { processes: profile.pick(2, 3, 2), segments: 3, population: 50 }
    }

    fn run(context: &mut RunContext<'_>, parameters: &CountersParameters) -> Result<(), ExperimentError> {
        let Some(version) = lab::host::valgrind_version() else {
            let reason = "valgrind is not installed; install it, for example with `apt-get install valgrind`";
            return Ok(context.journal.omit("counters", reason)?);
        };
        context.journal.software("valgrind", &version);
        let schemes = &context.config.schemes;
        context.progress.begin("counters", u64::from(parameters.processes) * schemes.len() as u64);
        for Turn { block: process, item: scheme, .. } in turns(schemes, 0..parameters.processes, context.config.seed) {
            context.step(scheme.id())?;
            let subject = Subject::new(context, scheme)?;
            subject.count(context, parameters, process)?;
            // One pair of processes per scheme, since each takes as long as a process with segments: their scatter is not
            // known.
            if process == 0 {
                subject.count_heap(context, parameters)?;
            }
        }
        Ok(())
    }
}

/// A scheme with a store and a place for its files.
struct Subject<'a> {
    scheme: Scheme,
    program: PathBuf,
    spec: ServerSpec,
    store: ExperimentStore<'a>,
    /// Between server and store; none for a store that is not at a single address of this machine.
    _proxy: Option<DelayProxy>,
    folder: tempfile::TempDir,
}

impl<'a> Subject<'a> {
    fn new(context: &RunContext<'a>, scheme: Scheme) -> Result<Self, ExperimentError> {
        let config = context.config;
        let folder = tempfile::tempdir_in(config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let bounds = Bounds::on(&config.placement.store_cpus);
        let store = ExperimentStore::start_empty(context, scheme.store(), "counters", &bounds)?;
        let address = store.store().and_then(Store::address);
        let link = Link::of_round_trip(STORE_RTT);
        let proxy =
            address.map(|address| DelayProxy::start(address, link, &config.placement.generator_cpus, config.seed));
        let proxy = proxy.transpose().map_err(|source| ExperimentError::Proxy { source })?;
        // A key made under valgrind would take a minute.
        let key = lab::keys::make(scheme, folder.path()).map_err(|source| ExperimentError::Key { scheme, source })?;
        let direct = context.spec(scheme, store.store())?;
        let proxied = store.store().zip(proxy.as_ref()).map(|(store, proxy)| store.url_through(proxy.address()));
        let spec = ServerSpec {
            // Extending an idle limit would be an occasional additional command.
            touch: Touch::Never,
            workers: Some(1),
            store_url: proxied.or(direct.store_url),
            key,
            flags: vec![("--password-kib", PASSWORD_KIB.to_owned())],
            ..direct
        };
        Ok(Self {
            scheme,
            program: lab::server::locate(scheme.binary()).map_err(ServerError::from)?,
            spec,
            store,
            _proxy: proxy,
            folder,
        })
    }

    /// Counts segments of requests in a new process.
    fn count(
        &self,
        context: &mut RunContext<'_>,
        parameters: &CountersParameters,
        process: u32,
    ) -> Result<(), ExperimentError> {
        let mut counted = CountedServer::start(&self.program, &self.spec, self.folder.path())?;
        context.journal.describe(counted.server().descriptor().clone());
        let mut requests = Requests::prepare(self.scheme, counted.server(), parameters.population)?;
        requests.send_each_once()?;
        counted.take()?;
        for segment in 0..parameters.segments {
            context.check_can_continue()?;
            let before = self.store_commands()?;
            let transferred = requests.send_each_once()?;
            let counts = counted.take()?;
            let store_commands = self.store_commands()?.zip(before).map(|(after, before)| after - before);
            let counted = CountedSegment {
                scheme: self.scheme.id().to_owned(),
                process,
                segment,
                requests: u64::from(parameters.population),
                instructions: counts.instructions,
                allocator_instructions: counts.allocator_instructions,
                allocations: counts.allocations,
                system_calls: counts.system_calls,
                store_commands,
                request_bytes: transferred.request_bytes,
                response_bytes: transferred.response_bytes,
                validity: Validity::from_reasons(Vec::new()),
            };
            context.journal.measured(|counters: &mut CountersExperiment| counters.segments.push(counted))?;
        }
        Ok(())
    }

    /// Counts the bytes that requests allocate: what further passes over all credentials add to the life of a process.
    fn count_heap(&self, context: &mut RunContext<'_>, parameters: &CountersParameters) -> Result<(), ExperimentError> {
        let mut attempt = 1;
        let (shorter, longer) = loop {
            let shorter = self.heap_total(context, parameters, 1)?;
            let longer = self.heap_total(context, parameters, 1 + HEAP_PASSES)?;
            if shorter.readiness_polls == longer.readiness_polls || attempt == HEAP_ATTEMPTS {
                break (shorter, longer);
            }
            attempt += 1;
        };
        let differ = shorter.readiness_polls != longer.readiness_polls;
        let reason = "two lives of the server answered different numbers of readiness polls";
        let difference = |of: fn(&HeapTotal) -> u64| of(&longer).cast_signed() - of(&shorter).cast_signed();
        let heap = CountedHeap {
            scheme: self.scheme.id().to_owned(),
            requests: u64::from(parameters.population) * u64::from(HEAP_PASSES),
            bytes: difference(|heap| heap.bytes),
            blocks: difference(|heap| heap.blocks),
            validity: Validity::from_reasons(differ.then(|| reason.to_owned()).into_iter().collect()),
        };
        Ok(context.journal.measured(|counters: &mut CountersExperiment| counters.heaps.push(heap))?)
    }

    fn heap_total(
        &self,
        context: &RunContext<'_>,
        parameters: &CountersParameters,
        passes: u32,
    ) -> Result<HeapTotal, ExperimentError> {
        counters::heap_total(&self.program, &self.spec, self.folder.path(), |server| {
            let mut requests = Requests::prepare(self.scheme, server, parameters.population)?;
            (0..passes).try_for_each(|_| {
                context.check_can_continue()?;
                requests.send_each_once().map(drop)
            })
        })
    }

    fn store_commands(&self) -> Result<Option<u64>, ExperimentError> {
        let counts = self.store.store().map(Store::command_counts).transpose()?.flatten();
        Ok(counts.map(|counts| counts.values().sum()))
    }
}

/// Bytes of a segment.
#[derive(Default)]
struct Transferred {
    request_bytes: u64,
    response_bytes: u64,
}

/// The requests of a segment, and the connection that carries them.
struct Requests {
    scheme: Scheme,
    connection: Connection,
    requests: Vec<Vec<u8>>,
}

impl Requests {
    /// Mints credentials, and connects.
    fn prepare(scheme: Scheme, server: &Server, population: u32) -> Result<Self, ExperimentError> {
        let minted = server.client().mint(population, 0)?;
        let request = |headers: &BTreeMap<String, String>| {
            // The server's own address would vary in length.
            let mut text = format!("GET {} HTTP/1.1\r\nhost: authbench.test\r\n", route::ME);
            for (name, value) in headers {
                text.extend([name, ": ", value, "\r\n"]);
            }
            text.push_str("\r\n");
            text.into_bytes()
        };
        let requests = minted.iter().map(|credential| request(&credential.headers)).collect();
        let connection = Connection::open(server.address())
            .map_err(|source| ExperimentError::Counted { scheme, reason: source.to_string() })?;
        Ok(Self { scheme, connection, requests })
    }

    fn send_each_once(&mut self) -> Result<Transferred, ExperimentError> {
        let failed = |reason: String| ExperimentError::Counted { scheme: self.scheme, reason };
        let mut transferred = Transferred::default();
        for request in &self.requests {
            let transfer = self.connection.exchange(request).map_err(|error| failed(error.to_string()))?;
            if transfer.status != 200 {
                return Err(failed(format!("the status of a response is {}", transfer.status)));
            }
            transferred.request_bytes += transfer.request_bytes;
            transferred.response_bytes += transfer.response_bytes;
        }
        Ok(transferred)
    }
}
