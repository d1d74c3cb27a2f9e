//! Connections: accepted, served, counted, and ended in good order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

use crate::metrics::{Metrics, RouteIndex};
use crate::routes::Routes;

/// How long requests under way may take to finish once the server is told to stop.
const GRACE: Duration = Duration::from_secs(3);
/// How long to wait when the process has no descriptor left for a connection.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until `stop` is ready; then closes the listener and idle connections at once, and the
/// others as their answers are out, or after [`GRACE`].
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Routes,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()>,
) {
    let open = GracefulShutdown::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = connection(stream, peer, routes.clone(), Arc::clone(&metrics), open.watcher());
                    tokio::spawn(connection);
                }
                Err(error) => recover(&error).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    if tokio::time::timeout(GRACE, open.shutdown()).await.is_err() {
        tracing::warn!("stopped with connections still open");
    }
}

/// A connection that died before it was accepted is its own affair; for want of descriptors it helps to wait.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept connections");
        #[expect(clippy::disallowed_methods, reason = "coarse waiting is meant")]
        tokio::time::sleep(BREATH).await;
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, routes: Routes, metrics: Arc<Metrics>, watcher: Watcher) {
    // Answers are written whole: waiting to fill a segment would only add Nagle's delay.
    let _ = stream.set_nodelay(true);
    let router = routes.for_peer(peer.ip());
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let route = RouteIndex::of(request.uri().path());
        let answer = match routes.refusal(&request) {
            None => Ok(router.clone().call(request.map(Body::new))),
            Some(refusal) => Err(refusal),
        };
        let metrics = &metrics;
        async move {
            let response = match answer {
                Ok(answer) => answer.await?,
                Err(refusal) => refusal.into_response(),
            };
            metrics.count(route, response.status());
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    // Answers are small: copying a body behind its head and sending once costs some 5 % less than writev.
    http.writev(false);
    let served = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
