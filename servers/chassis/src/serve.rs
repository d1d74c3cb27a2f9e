//! Connections: accepted, served, counted, and closed gracefully.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use contract::route;
use futures_util::future::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

use crate::connections::{ConnectionGuard, Connections, Limits};
use crate::host::HostCheck;
use crate::metrics::{Metrics, RouteIndex};
use crate::peer::Peer;
use crate::request_body::track_body;
use crate::routes::Routes;

/// How long requests in progress may take to finish after the server receives a stop signal.
const GRACE_PERIOD: Duration = Duration::from_secs(3);
/// How long to wait when the process has no descriptor left for a connection.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is ready; then closes the listener and idle connections at once, and the
/// others after their responses, or after [`GRACE_PERIOD`].
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Routes,
    metrics: Arc<Metrics>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let open = GracefulShutdown::new();
    let connections = Connections::start(limits);
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    connections.wait_for_capacity().await;
                    let (routes, metrics, watcher) = (routes.clone(), Arc::clone(&metrics), open.watcher());
                    connections.spawn(|guard| connection(stream, peer, routes, metrics, watcher, guard));
                }
                Err(error) => handle_accept_error(&error).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    if tokio::time::timeout(GRACE_PERIOD, open.shutdown()).await.is_err() {
        tracing::warn!("stopped with connections still open");
    }
}

/// A connection that was closed before it was accepted is ignored; for lack of descriptors it helps to wait.
async fn handle_accept_error(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept connections");
        #[expect(clippy::disallowed_methods, reason = "coarse waiting is intended")]
        tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
    }
}

/// Adds the peer to a request that gives a password; for the others it would cost more than their handling.
fn note_peer(request: &mut hyper::Request<Incoming>, address: IpAddr) {
    if matches!(request.uri().path(), route::LOGIN | route::PASSWORD) {
        request.extensions_mut().insert(Peer::of(address));
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Routes,
    metrics: Arc<Metrics>,
    watcher: Watcher,
    guard: Arc<ConnectionGuard>,
) {
    // Responses are written whole: waiting to fill a segment would only add Nagle's delay.
    let _ = stream.set_nodelay(true);
    let (router, host) = (routes.for_peer(peer.ip()), HostCheck::default());
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        let (metrics, guard) = (&metrics, &guard);
        let route = RouteIndex::of(request.uri().path());
        let open = guard.set_serving();
        if !open || !host.is_valid(request.version(), request.uri(), request.headers()) {
            let malformed = routes.malformed();
            return Either::Left(async move {
                if !open {
                    // The task of a connection that is being closed is not polled again.
                    std::future::pending::<()>().await;
                }
                metrics.count(route, StatusCode::BAD_REQUEST);
                guard.set_idle();
                Ok(malformed.into_response())
            });
        }
        note_peer(&mut request, peer.ip());
        let response_future = router.clone().call(request.map(|body| track_body(body, guard)));
        Either::Right(async move {
            let response = response_future.await?;
            metrics.count(route, response.status());
            guard.set_idle();
            Ok::<_, Infallible>(response)
        })
    });
    let mut http = http1::Builder::new();
    // Responses are small: copying a body behind its head and sending once costs some 5 % less than writev.
    http.writev(false).max_buf_size(contract::MAX_HEAD_BYTES);
    let served = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
