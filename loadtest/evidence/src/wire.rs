//! The `wire` experiment: bytes of a credential and of the messages that carry it.
//!
//! The bytes are counted, not estimated: the same request has the same bytes every time, so there
//! are no intervals.

use contract::Carrier;
use engine::record::{Record, WireExperiment, WirePoint};

use crate::cost::is_control;
use crate::group::scheme_order;
use crate::warning::{invalid_points, no_control};
use crate::{Analyse, EvidenceError, Topic, Warning};

/// Name, value and attributes together: the size of a cookie that a browser must store (RFC 6265,
/// section 6.1).
///
/// Browsers drop larger cookies.
pub const COOKIE_LIMIT_BYTES: u64 = 4096;

/// Bytes on the wire, by carrier, scheme and number of roles.
#[derive(Clone, Debug)]
pub struct WireTable {
    /// One row per scheme, carrier and number of roles.
    pub rows: Vec<WireRow>,
}

/// The bytes of one scheme.
#[derive(Clone, Debug)]
pub struct WireRow {
    /// The counted bytes; shown as invalid if they are not valid.
    pub point: WirePoint,
    /// Request header bytes beyond those of the control with the same carrier and roles.
    ///
    /// None for the control, and without a valid control.
    pub request_over_control: Option<i64>,
}

impl Analyse for WireExperiment {
    type Table = WireTable;

    fn analyse(&self, record: &Record) -> Result<Option<WireTable>, EvidenceError> {
        Ok(Some(WireTable::of(record, self)))
    }

    fn warnings(&self, _: &Record, _: Option<&WireTable>) -> Vec<Warning> {
        let place = |point: &WirePoint| format!("{} by {} with {} roles", point.scheme, point.carrier, point.roles);
        let points = self.points.iter().map(|point| (place(point), &point.validity));
        let valid = || self.points.iter().filter(|point| point.validity.valid);
        let control_missing = !valid().any(|point| is_control(&point.scheme));
        let large =
            valid().filter(|point| point.carrier == Carrier::Cookie && point.credential_bytes > COOKIE_LIMIT_BYTES);
        let large = large.map(|point| {
            Topic::Comparison.warning(format!(
                "wire: the credential of {} with {} roles has {} bytes; browsers drop a cookie above \
                 {COOKIE_LIMIT_BYTES} bytes.",
                point.scheme, point.roles, point.credential_bytes
            ))
        });
        let mut warnings = invalid_points(Self::EXPERIMENT, points);
        warnings.extend(control_missing.then(|| no_control(Self::EXPERIMENT)).into_iter().chain(large));
        warnings
    }
}

impl WireTable {
    fn of(record: &Record, wire: &WireExperiment) -> Self {
        let mut points: Vec<&WirePoint> = wire.points.iter().collect();
        points.sort_by_key(|point| (point.carrier, scheme_order(record, &point.scheme), point.roles));
        Self { rows: points.into_iter().map(|point| WireRow::of(point, &wire.points)).collect() }
    }
}

impl WireRow {
    fn of(point: &WirePoint, all: &[WirePoint]) -> Self {
        let same_carrier_and_roles = |other: &&WirePoint| {
            is_control(&other.scheme)
                && other.validity.valid
                && (other.carrier, other.roles) == (point.carrier, point.roles)
        };
        let comparable = point.validity.valid && !is_control(&point.scheme);
        let control = all.iter().find(same_carrier_and_roles).filter(|_| comparable);
        Self {
            point: point.clone(),
            request_over_control: control
                .map(|control| point.request_header_bytes.cast_signed() - control.request_header_bytes.cast_signed()),
        }
    }
}
