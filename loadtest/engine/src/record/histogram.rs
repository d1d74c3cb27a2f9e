//! Histograms inside the record: `HdrHistogram` V2, deflated, in base64.

use std::io::{self, Read as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// The lowest time that is distinguished from zero, in microseconds.
pub const MIN_US: u64 = 1;
/// The highest time that fits: ten minutes in microseconds. Longer ones are counted as saturated.
pub const MAX_US: u64 = 600_000_000;
/// Decimal digits that every value keeps.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram in the one shape that authbench uses.
#[must_use]
pub fn empty_histogram() -> Histogram<u64> {
    // Copying one is quicker than filling 320 KiB with zeros, count by count.
    static EMPTY: LazyLock<Histogram<u64>> = LazyLock::new(|| {
        Histogram::new_with_bounds(MIN_US, MAX_US, SIGNIFICANT_DIGITS).expect("the bounds are in order")
    });
    EMPTY.clone()
}

/// Longer than the counts of a full histogram, each in nine bytes.
const MAX_PAYLOAD_BYTES: u64 = 1 << 18;
/// The same in base64, which deflation may not make shorter.
const MAX_TEXT_BYTES: usize = 1 << 19;
/// Cookie, payload length, offset, digits, lowest, highest and ratio, as HdrHistogram's `EncodeIntoByteBuffer` writes them.
const HEADER_BYTES: usize = 40;
/// Cookie and length of what is compressed.
const ENVELOPE_BYTES: usize = 8;
/// How the envelope of version 2 of the compressed format begins.
const COMPRESSED_COOKIE: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
/// The encoding of the one number whose negation overflows: no count, and no sequence of zeros, is so long.
const MIN_NUMBER: [u8; 9] = [0xFF; 9];

/// A histogram in JSON: base64 of the compressed V2 format, which every
/// `HdrHistogram` library reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Its compressed part cannot be unpacked, or is longer than that of any histogram of authbench.
    #[error("a histogram cannot be decompressed: {0}")]
    Packing(#[from] io::Error),
    /// Its header states what no histogram of authbench has.
    #[error("a histogram's header has {what}, which authbench never writes")]
    Header {
        /// What it states.
        what: &'static str,
    },
}

impl EncodedHistogram {
    /// Encodes a histogram.
    #[must_use]
    pub fn encode(histogram: &Histogram<u64>) -> Self {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("writing to memory does not fail");
        Self(STANDARD.encode(bytes))
    }

    /// Merges histograms that a recorder has just encoded.
    pub(crate) fn merged<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = empty_histogram();
        for part in parts {
            sum.add(part.decode().expect("the recorder encoded it")).expect("all histograms here have the same bounds");
        }
        Self::encode(&sum)
    }

    /// Decodes a histogram. Uses little memory whatever the text contains, because a record may be damaged or hostile.
    pub fn decode(&self) -> Result<Histogram<u64>, HistogramError> {
        if self.0.len() > MAX_TEXT_BYTES {
            return Err(HistogramError::Header { what: "too long a text" });
        }
        let bytes = unpack(&STANDARD.decode(&self.0)?)?;
        check_header(&bytes)?;
        Ok(Deserializer::new().deserialize(&mut bytes.as_slice())?)
    }

    /// Returns the base64 text, as in a `.hlog` file.
    #[must_use]
    pub fn as_base64(&self) -> &str {
        &self.0
    }
}

/// Inflates the compressed format to the plain one.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, HistogramError> {
    let (envelope, compressed) =
        bytes.split_at_checked(ENVELOPE_BYTES).ok_or(HistogramError::Header { what: "no envelope" })?;
    if !envelope.starts_with(&COMPRESSED_COOKIE) {
        return Err(HistogramError::Header { what: "another format" });
    }
    let most = HEADER_BYTES as u64 + MAX_PAYLOAD_BYTES;
    let mut plain = Vec::new();
    ZlibDecoder::new(compressed).take(most + 1).read_to_end(&mut plain)?;
    if plain.len() as u64 > most { Err(HistogramError::Header { what: "too long a payload" }) } else { Ok(plain) }
}

/// Checks what the decoder would make room for, before it does.
fn check_header(plain: &[u8]) -> Result<(), HistogramError> {
    let header = plain.first_chunk::<HEADER_BYTES>().ok_or(HistogramError::Header { what: "too few bytes" })?;
    let word = |at: usize| header[at..at + 4].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let wide = |at: usize| word(at) << 32 | word(at + 4);
    let payload = &plain[HEADER_BYTES..];
    let wrong = [
        (word(4) != payload.len() as u64, "another payload length"),
        (word(12) > u64::from(SIGNIFICANT_DIGITS), "more digits"),
        (wide(16) != MIN_US, "another lowest value"),
        (wide(24) > MAX_US, "a higher value"),
        (memmem::find(payload, &MIN_NUMBER).is_some(), "an impossible count"),
    ];
    wrong.into_iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, what)| Err(HistogramError::Header { what }))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use hdrhistogram::serialization::V2Serializer;

    use super::*;

    fn some() -> Histogram<u64> {
        let mut histogram = empty_histogram();
        for value in [1, 250, 251, 90_000, MAX_US] {
            histogram.record_n(value, value % 7 + 1).unwrap();
        }
        histogram
    }

    /// A histogram whose plain form was changed before it was compressed.
    fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Histogram<u64>, HistogramError> {
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&some(), &mut plain).unwrap();
        change(&mut plain);
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        io::Write::write_all(&mut packed, &plain).unwrap();
        let packed = packed.finish().unwrap();
        let length = u32::try_from(packed.len()).unwrap().to_be_bytes();
        EncodedHistogram(STANDARD.encode([&0x1c84_9314_u32.to_be_bytes(), &length[..], &packed].concat())).decode()
    }

    #[test]
    fn histogram_is_decoded_as_it_was_encoded() {
        assert_eq!(EncodedHistogram::encode(&some()).decode().unwrap(), some());
        assert_eq!(EncodedHistogram::encode(&empty_histogram()).decode().unwrap(), empty_histogram());
        assert_eq!(changed(|_| ()).unwrap(), some());
        let mut full = empty_histogram();
        for step in empty_histogram().iter_all().take_while(|step| step.value_iterated_to() <= MAX_US) {
            full.record_n(step.value_iterated_to(), u64::from(u32::MAX) * 1000).unwrap();
        }
        assert_eq!(EncodedHistogram::encode(&full).decode().unwrap(), full);
    }

    #[test]
    fn damaged_header_is_rejected_before_allocation() {
        let header = |at: usize, bytes: &[u8]| {
            changed(|plain| plain[at..at + bytes.len()].copy_from_slice(bytes)).unwrap_err().to_string()
        };
        assert!(header(4, &[0xFF; 4]).contains("payload length"), "-1 as a length");
        assert!(header(4, &[0; 4]).contains("payload length"));
        assert!(header(12, &[0, 0, 0, 5]).contains("digits"));
        assert!(header(24, &[0x7F; 8]).contains("higher value"));
        assert!(header(40, &[0xFF; 9]).contains("impossible count"));
        assert!(changed(|plain| plain.truncate(39)).unwrap_err().to_string().contains("too few bytes"));
        assert!(changed(|plain| plain.resize(10_000_000, 0)).unwrap_err().to_string().contains("too long"));
        for text in ["", "AAAA", "HISTFAAAAAA=", "not base64"] {
            EncodedHistogram(text.to_owned()).decode().unwrap_err();
        }
    }
}
