//! Histograms inside the record: `HdrHistogram` V2, deflated, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lowest time that is told apart from zero, in microseconds.
pub const LOWEST_US: u64 = 1;
/// The highest time that fits: ten minutes in microseconds. Longer ones are counted as saturated.
pub const HIGHEST_US: u64 = 600_000_000;
/// Decimal digits that every value keeps.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram in the one shape that authbench uses.
#[must_use]
pub fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS).expect("the bounds are in order")
}

/// A histogram as it stands in JSON: base64 of the compressed V2 format, which every
/// `HdrHistogram` library reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EncodedHistogram(String);

/// A text that should be a histogram is not.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// It is not base64.
    #[error("a histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// It is not the V2 format.
    #[error("a histogram is not in the compressed HdrHistogram V2 format: {0}")]
    Format(#[from] hdrhistogram::serialization::DeserializeError),
}

impl EncodedHistogram {
    /// Encodes a histogram.
    #[must_use]
    pub fn encode(histogram: &Histogram<u64>) -> Self {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("memory takes every byte");
        Self(STANDARD.encode(bytes))
    }

    /// Decodes it again.
    pub fn decode(&self) -> Result<Histogram<u64>, HistogramError> {
        let bytes = STANDARD.decode(&self.0)?;
        Ok(Deserializer::new().deserialize(&mut bytes.as_slice())?)
    }

    /// The base64 text, as it also stands in a `.hlog`.
    #[must_use]
    pub fn as_base64(&self) -> &str {
        &self.0
    }
}
