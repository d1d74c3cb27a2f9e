//! A way from a server to its store that can be cut.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use testkit::backend::Backend;
use testkit::redis::Redis;

/// One way for every address of a store.
pub(crate) struct Relays(Vec<Relay>);

impl Relays {
    /// The ways to this backend. The nodes of a cluster tell everybody to come this way.
    pub(crate) fn to(backend: &mut Backend) -> Self {
        let relays: Vec<_> = ports(backend).into_iter().map(Relay::to).collect();
        if let Backend::Cluster(cluster) = backend {
            cluster.announce(&relays.iter().map(|relay| relay.port).collect::<Vec<_>>());
        }
        Self(relays)
    }

    /// These flags, which name the backend, with the ways in place of the addresses.
    pub(crate) fn lead(&self, flags: Vec<String>) -> Vec<String> {
        let led = |flag: String| {
            self.0
                .iter()
                .fold(flag, |flag, relay| flag.replace(&format!(":{}/", relay.behind), &format!(":{}/", relay.port)))
        };
        flags.into_iter().map(led).collect()
    }

    pub(crate) fn cut(&self) {
        self.0.iter().for_each(Relay::cut);
    }

    pub(crate) fn heal(&self) {
        self.0.iter().for_each(|relay| relay.shared.cut.store(false, Ordering::SeqCst));
    }
}

/// Where clients of this backend come.
fn ports(backend: &Backend) -> Vec<u16> {
    match backend {
        Backend::Nothing => vec![],
        Backend::Redis(redis) => vec![redis.port()],
        Backend::Cluster(cluster) => cluster.nodes.iter().map(Redis::port).collect(),
        Backend::Postgres(postgres) => vec![postgres.port()],
    }
}

struct Relay {
    port: u16,
    behind: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    cut: AtomicBool,
    /// Both ends of every connection.
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    fn to(behind: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if own.over.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever comes while the way is cut, or the store is gone, is sent away.
                let _ = own.join(client, behind);
            }
        });
        Self { port, behind, shared }
    }

    fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port)));
    }
}

impl Shared {
    fn join(&self, client: TcpStream, behind: u16) -> io::Result<()> {
        let mut open = self.open.lock().unwrap();
        if self.cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        let store = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], behind)))?;
        for stream in [&client, &store] {
            stream.set_nodelay(true)?;
            open.push(stream.try_clone()?);
        }
        for (mut from, mut to) in [(client.try_clone()?, store.try_clone()?), (store, client)] {
            std::thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            });
        }
        Ok(())
    }
}
