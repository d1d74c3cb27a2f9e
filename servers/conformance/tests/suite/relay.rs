//! The links from a server to its store, which can be cut.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};

use lab::proxy::{DelayProxy, Link, LinkFault};
use testkit::TIMEOUT;
use testkit::backend::Backend;
use testkit::redis::Redis;

/// One link for every address of a store.
pub(crate) struct Relays(Vec<Relay>);

struct Relay {
    /// Of the store.
    port: u16,
    proxy: DelayProxy,
}

impl Relays {
    /// Opens the links to this backend. The nodes of a cluster send all clients over these.
    pub(crate) fn to(backend: &mut Backend) -> Self {
        let relays: Vec<_> = ports(backend).into_iter().map(Relay::to).collect();
        if let Backend::Cluster(cluster) = backend {
            cluster.announce(&relays.iter().map(|relay| relay.proxy.address().port()).collect::<Vec<_>>());
        }
        Self(relays)
    }

    /// Returns these flags, which name the backend, with the links in place of the addresses.
    pub(crate) fn redirect(&self, flags: Vec<String>) -> Vec<String> {
        let of = |port: u16| format!(":{port}/");
        let redirected = |flag: String, relay: &Relay| flag.replace(&of(relay.port), &of(relay.proxy.address().port()));
        flags.into_iter().map(|flag| self.0.iter().fold(flag, redirected)).collect()
    }

    pub(crate) fn cut(&self) {
        self.0.iter().for_each(Relay::cut);
    }

    pub(crate) fn heal(&self) {
        self.0.iter().for_each(|relay| relay.proxy.set_fault(LinkFault::None));
    }
}

/// The ports of a backend that clients connect to.
fn ports(backend: &Backend) -> Vec<u16> {
    match backend {
        Backend::Postgres(postgres) => vec![postgres.port()],
        _ => backend.redis_nodes().iter().map(Redis::port).collect(),
    }
}

impl Relay {
    fn to(port: u16) -> Self {
        let store = SocketAddr::from(([127, 0, 0, 1], port));
        Self { port, proxy: DelayProxy::start(store, Link::default(), &[], 0).unwrap() }
    }

    /// Returns when the proxy has closed every connection: it does so before it closes one that is opened afterwards.
    fn cut(&self) {
        self.proxy.set_fault(LinkFault::Cut);
        let read = TcpStream::connect(self.proxy.address()).and_then(|mut probe| {
            probe.set_read_timeout(Some(TIMEOUT))?;
            probe.read(&mut [0])
        });
        match read {
            Ok(0) => {}
            // Already the connect fails if the proxy is quicker than it.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("the link is not cut: {other:?}"),
        }
    }
}
