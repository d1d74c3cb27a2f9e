//! Work per request that is counted instead of timed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Measured, Validity};

/// Work per request that is counted instead of timed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CountersExperiment {
    /// One a scheme, process and segment.
    pub segments: Vec<CountedSegment>,
    /// One a scheme.
    pub heaps: Vec<CountedHeap>,
}

impl Measured for CountersExperiment {}

/// A number of requests, one at a time over one connection, and what they made the server do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CountedSegment {
    /// The scheme's id.
    pub scheme: String,
    /// Which process of this scheme, from 0.
    pub process: u32,
    /// Which segment of this process, from 0.
    pub segment: u32,
    /// Requests.
    pub requests: u64,
    /// Instructions of the server in user space, without those of the allocator.
    pub instructions: u64,
    /// Instructions of the allocator, which depend on the earlier life of the heap.
    pub allocator_instructions: u64,
    /// Allocations and reallocations on the server's heap.
    pub allocations: u64,
    /// System calls of the server, except reading the clock, sleeping and waiting for events.
    pub system_calls: u64,
    /// Commands that the store executed; none without a store that counts them.
    pub store_commands: Option<u64>,
    /// Bytes of all requests.
    pub request_bytes: u64,
    /// Bytes of all responses.
    pub response_bytes: u64,
    /// Instructions by component, the crate or the library of the function that they are in, the allocator's included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, u64>,
    /// Whether the segment may feed a claim.
    pub validity: Validity,
}

/// What two lives of a server allocated, which differ only in the number of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CountedHeap {
    /// The scheme's id.
    pub scheme: String,
    /// Requests that the longer life has more.
    pub requests: u64,
    /// Bytes that the longer life allocated more, freed or not.
    pub bytes: i64,
    /// Blocks that the longer life allocated more.
    pub blocks: i64,
    /// Whether it may feed a claim.
    pub validity: Validity,
}
