//! Requests counted by route and status, as Prometheus text.

use std::sync::OnceLock;

use axum::http::StatusCode;
use contract::route;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The statuses of this API; any other would be a fault, and is counted as the last.
const STATUSES: [u16; 13] = [200, 204, 400, 401, 403, 404, 405, 413, 415, 429, 502, 503, 500];
/// What a path outside the wire table is called, so that strangers cannot make labels.
const OTHER: &str = "other";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    route: &'static str,
    status: u16,
}

/// All counters of a server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    /// The counters again by position: on the hot path a family's lock and hash would cost more
    /// than the counting.
    by_position: [[OnceLock<Counter>; STATUSES.len()]; route::ALL.len() + 1],
}

impl Metrics {
    pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    pub(crate) fn new() -> Self {
        let requests = Family::default();
        let mut registry = Registry::with_prefix("authbench");
        registry.register("http_requests", "Requests answered, by route and status", requests.clone());
        Self { registry, requests, by_position: Default::default() }
    }

    /// Counts one response.
    pub(crate) fn count(&self, route: RouteIndex, status: StatusCode) {
        let status = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.by_position[route.0][status].get_or_init(|| self.counter(route, status)).inc();
    }

    fn counter(&self, route: RouteIndex, status: usize) -> Counter {
        let route = route::ALL.get(route.0).map_or(OTHER, |route| route.path);
        self.requests.get_or_create_owned(&Labels { route, status: STATUSES[status] })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }
}

/// The place of a route in [`route::ALL`], or the place after the last.
#[derive(Clone, Copy)]
pub(crate) struct RouteIndex(usize);

impl RouteIndex {
    pub(crate) fn of(path: &str) -> Self {
        Self(route::ALL.iter().position(|route| route.path == path).unwrap_or(route::ALL.len()))
    }
}
