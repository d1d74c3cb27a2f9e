//! A program whose work is counted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use contract::{Scheme, SchemeDescriptor, Touch, route};
use engine::record::{CountedHeap, CountedSegment, Validity};
use lab::counters::{self, Connection, CountedServer, HeapTotal};
use lab::proxy::{DelayProxy, Link};
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use crate::experiment_store::ExperimentStore;
use crate::run_context::{ExperimentError, RunConfig, RunContext};

/// Round-trip time to the store: longer than a server under valgrind takes from sending a command until it waits.
const STORE_RTT: Duration = Duration::from_millis(4);
/// Passwords are hashed at the start only: with little memory, valgrind starts a server in a second.
const PASSWORD_KIB: &str = "8";
/// Passes over all credentials that the longer of two lives under DHAT has more.
const HEAP_PASSES: u32 = 6;
/// Pairs of lives, of which the first that can be compared is used.
const HEAP_ATTEMPTS: u32 = 3;

/// How much is counted in one process.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Segments.
    pub segments: u32,
    /// Number of credentials; each is used once in every segment.
    pub population: u32,
}

/// A program that serves a scheme, with a store of its own and a place for its files.
pub(crate) struct Subject<'a> {
    config: &'a RunConfig,
    scheme: Scheme,
    program: PathBuf,
    spec: ServerSpec,
    store: ExperimentStore<'a>,
    /// Between server and store; none for a store that is not at a single address of this machine.
    _proxy: Option<DelayProxy>,
    folder: tempfile::TempDir,
}

impl<'a> Subject<'a> {
    /// A program that serves the scheme over this store. `name` tells its log from those of other programs.
    pub(crate) fn new(
        context: &RunContext<'a>,
        scheme: Scheme,
        program: PathBuf,
        name: &str,
        store: ExperimentStore<'a>,
    ) -> Result<Self, ExperimentError> {
        let config = context.config;
        let folder = tempfile::tempdir_in(config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?;
        let address = store.store().and_then(Store::address);
        let link = Link::of_round_trip(STORE_RTT);
        let proxy =
            address.map(|address| DelayProxy::start(address, link, &config.placement.generator_cpus, config.seed));
        let proxy = proxy.transpose().map_err(|source| ExperimentError::Proxy { source })?;
        // A key made under valgrind would take a minute.
        let key = lab::keys::make(scheme, folder.path()).map_err(|source| ExperimentError::Key { scheme, source })?;
        let direct = config.spec(scheme, store.store(), context.log(&format!("{scheme}-{name}")))?;
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
        Ok(Self { config, scheme, program, spec, store, _proxy: proxy, folder })
    }

    /// Counts segments of requests in a new process. Returns also how the server describes itself.
    pub(crate) fn count(
        &self,
        process: u32,
        amount: Amount,
    ) -> Result<(SchemeDescriptor, Vec<CountedSegment>), ExperimentError> {
        let mut counted = CountedServer::start(&self.program, &self.spec, self.folder.path())?;
        let mut requests = Requests::prepare(self.scheme, counted.server(), amount.population)?;
        requests.send_each_once()?;
        counted.take()?;
        let segments = (0..amount.segments).map(|segment| {
            self.config.check_can_continue()?;
            let before = self.store_commands()?;
            let transferred = requests.send_each_once()?;
            let counts = counted.take()?;
            let store_commands = self.store_commands()?.zip(before).map(|(after, before)| after - before);
            Ok(CountedSegment {
                scheme: self.scheme.id().to_owned(),
                process,
                segment,
                requests: u64::from(amount.population),
                instructions: counts.instructions,
                allocator_instructions: counts.allocator_instructions,
                allocations: counts.allocations,
                system_calls: counts.system_calls,
                store_commands,
                request_bytes: transferred.request_bytes,
                response_bytes: transferred.response_bytes,
                components: counts.components,
                validity: Validity::from_reasons(Vec::new()),
            })
        });
        let segments = segments.collect::<Result<_, ExperimentError>>()?;
        Ok((counted.server().descriptor().clone(), segments))
    }

    /// Counts the bytes that requests allocate: what further passes over all credentials add to the life of a process.
    pub(crate) fn count_heap(&self, population: u32) -> Result<CountedHeap, ExperimentError> {
        let mut attempt = 1;
        let (shorter, longer) = loop {
            let shorter = self.heap_total(population, 1)?;
            let longer = self.heap_total(population, 1 + HEAP_PASSES)?;
            if shorter.readiness_polls == longer.readiness_polls || attempt == HEAP_ATTEMPTS {
                break (shorter, longer);
            }
            attempt += 1;
        };
        let differ = shorter.readiness_polls != longer.readiness_polls;
        let reason = "two lives of the server answered different numbers of readiness polls";
        let difference = |of: fn(&HeapTotal) -> u64| of(&longer).cast_signed() - of(&shorter).cast_signed();
        Ok(CountedHeap {
            scheme: self.scheme.id().to_owned(),
            requests: u64::from(population) * u64::from(HEAP_PASSES),
            bytes: difference(|heap| heap.bytes),
            blocks: difference(|heap| heap.blocks),
            validity: Validity::from_reasons(differ.then(|| reason.to_owned()).into_iter().collect()),
        })
    }

    fn heap_total(&self, population: u32, passes: u32) -> Result<HeapTotal, ExperimentError> {
        counters::heap_total(&self.program, &self.spec, self.folder.path(), |server| {
            let mut requests = Requests::prepare(self.scheme, server, population)?;
            (0..passes).try_for_each(|_| {
                self.config.check_can_continue()?;
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
