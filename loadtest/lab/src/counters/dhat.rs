//! A server under DHAT, valgrind's heap profiler.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::valgrind::{CountersError, read, wrapper};
use crate::server::{Server, ServerSpec};

/// How long a server may take to shut down, after which DHAT writes its file: valgrind makes it a hundred times slower.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// What a process allocated on the heap in all its life, freed or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapTotal {
    /// Bytes.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Requests of `/readyz` among its work. Each allocates as much as several other requests, so that only lives with
    /// equal numbers of them can be compared.
    pub readiness_polls: u32,
}

/// The part of DHAT's file that is needed: one entry for each place in the program that allocates.
#[derive(Deserialize)]
struct Profile {
    #[serde(rename = "pps")]
    places: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    #[serde(rename = "tb")]
    bytes: u64,
    #[serde(rename = "tbk")]
    blocks: u64,
}

/// Starts this binary under DHAT, which keeps its files in the folder, lets `exercise` use the server, stops it, and
/// returns what it allocated in all.
pub fn heap_total<E: From<CountersError>>(
    program: &Path,
    spec: &ServerSpec,
    folder: &Path,
    exercise: impl FnOnce(&Server) -> Result<(), E>,
) -> Result<HeapTotal, E> {
    let output = folder.join("dhat.out");
    let spec = ServerSpec { wrapper: Some(wrapper("dhat", folder, &output, &[])), ..spec.clone() };
    let server = Server::start_program(program, &spec).map_err(CountersError::from)?;
    exercise(&server)?;
    let status = server.process().stop_within(SHUTDOWN_TIMEOUT);
    if status.success() {
        Ok(total(&output, server.readiness_polls())?)
    } else {
        Err(CountersError::Shutdown { status }.into())
    }
}

fn total(output: &Path, readiness_polls: u32) -> Result<HeapTotal, CountersError> {
    let profile: Profile = serde_json::from_str(&read(output)?).map_err(|error| CountersError::Format {
        path: output.to_owned(),
        tool: "DHAT",
        reason: error.to_string(),
    })?;
    let sum = |of: fn(&Place) -> u64| profile.places.iter().map(of).sum();
    Ok(HeapTotal { bytes: sum(|place| place.bytes), blocks: sum(|place| place.blocks), readiness_polls })
}
