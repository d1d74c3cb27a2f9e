//! The `wire` experiment: bytes of a credential and of what carries it. Counted, not estimated:
//! the same request has the same bytes every time, so there are no intervals.

use engine::record::{Record, WireExperiment, WirePoint};

use crate::cost::is_control;
use crate::group::scheme_order;

/// Name, value and attributes together: what a browser must be able to store of one cookie, and
/// what browsers cut off at (RFC 6265, section 6.1).
pub const COOKIE_LIMIT_BYTES: u64 = 4096;

/// Bytes on the wire, by carrier, scheme and number of roles.
#[derive(Clone, Debug)]
pub struct WireTable {
    /// One a scheme, carrier and number of roles.
    pub rows: Vec<WireRow>,
}

/// The bytes of one scheme.
#[derive(Clone, Debug)]
pub struct WireRow {
    /// What was counted; shown as such where it is not valid.
    pub point: WirePoint,
    /// Request header bytes beyond those of the control with the same carrier and roles; none for
    /// the control, and without a valid one.
    pub request_over_control: Option<i64>,
}

impl WireTable {
    pub(crate) fn of(record: &Record, wire: &WireExperiment) -> Self {
        let mut points: Vec<&WirePoint> = wire.points.iter().collect();
        points.sort_by_key(|point| (point.carrier, scheme_order(record, &point.scheme), point.roles));
        Self { rows: points.into_iter().map(|point| WireRow::of(point, &wire.points)).collect() }
    }
}

impl WireRow {
    fn of(point: &WirePoint, all: &[WirePoint]) -> Self {
        let beside = |other: &&WirePoint| {
            is_control(&other.scheme)
                && other.validity.valid
                && (other.carrier, other.roles) == (point.carrier, point.roles)
        };
        let comparable = point.validity.valid && !is_control(&point.scheme);
        let control = all.iter().find(beside).filter(|_| comparable);
        Self {
            point: point.clone(),
            request_over_control: control
                .map(|control| point.request_header_bytes.cast_signed() - control.request_header_bytes.cast_signed()),
        }
    }
}
