//! Reading and writing `record.json`.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::counts::Countable;
use super::{FORMAT, FormatVersion, Record};
use crate::input::read_text;
use crate::output::replace;

/// The record's name in the run's folder.
pub const FILE_NAME: &str = "record.json";

/// The largest record that is read, in bytes. A day of one-second intervals has a tenth of it.
const MAX_RECORD_BYTES: u64 = 1 << 30;

/// A record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read the record {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a record.
    #[error("{path} is not an authbench record: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A newer authbench wrote it.
    #[error(
        "{path} has format {found}; this authbench supports up to {FORMAT}; use the authbench that wrote it or a \
         later one"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: FormatVersion,
    },
    /// An authbench too old wrote it.
    #[error(
        "{path} has format {found}, which this authbench (format {FORMAT}) no longer supports; use authbench {} \
         or repeat the run",
        reader(*found)
    )]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: FormatVersion,
    },
}

/// The versions of authbench that read a format which this one no longer does.
fn reader(format: FormatVersion) -> &'static str {
    match format.major {
        1 => "0.1",
        _ => "older than 0.1",
    }
}

/// A record cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; free disk space or choose another directory with --out")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Reads the record of a run, given its folder or its file.
pub fn read(run: &Path) -> Result<Record, ReadError> {
    let path = if run.is_dir() { run.join(FILE_NAME) } else { run.to_owned() };
    let text = read_text(&path, MAX_RECORD_BYTES).map_err(|source| ReadError::Io { path: path.clone(), source })?;
    parse(&text, &path)
}

/// The record in this text, which errors call `path`.
pub fn parse(text: &str, path: &Path) -> Result<Record, ReadError> {
    let malformed = |source| ReadError::Malformed { path: path.to_owned(), source };
    check_version(path, peek_version(text).map_err(malformed)?)?;
    serde_json::from_str::<Countable>(text).map_err(malformed)?;
    serde_json::from_str(text).map_err(malformed)
}

/// The version alone, so that a record of another version is rejected for its version and not for what
/// has changed in it.
fn peek_version(text: &str) -> serde_json::Result<FormatVersion> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: FormatVersion,
    }
    Ok(serde_json::from_str::<Head>(text)?.format)
}

fn check_version(path: &Path, found: FormatVersion) -> Result<(), ReadError> {
    let path = path.to_owned();
    if found > FORMAT {
        Err(ReadError::TooNew { path, found })
    } else if found.major < FORMAT.major {
        Err(ReadError::TooOld { path, found })
    } else {
        Ok(())
    }
}

/// Writes the record into the run's folder: under a temporary name, then renamed, so that a
/// reader sees the old one or the new one and never a part.
pub fn write(folder: &Path, record: &Record) -> Result<PathBuf, WriteError> {
    let path = folder.join(FILE_NAME);
    let fill = |file: &mut File| -> io::Result<()> {
        serde_json::to_writer(io::BufWriter::new(&mut *file), record)?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    replace(&path, fill).map_err(|source| WriteError { path: path.clone(), source })?;
    Ok(path)
}

/// The JSON Schema of the record, as committed in `results/schema/`.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Record).to_value()
}
