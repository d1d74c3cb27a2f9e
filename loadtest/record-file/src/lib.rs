//! Reads and writes `record.json`, and reads `record.json.gz`.
//!
//! The type is that of [`engine::record`]. This crate contains the code that `serde` generates for it, which is most of the
//! code of the record, and is not optimised, because nothing of it runs while something is measured.

mod counts;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use engine::input;
use engine::output::replace;
use engine::record::{FORMAT, FormatVersion, Record};

use counts::Countable;

/// The record's name in the run's folder.
pub const FILE_NAME: &str = "record.json";
/// The name that `gzip record.json` gives it.
pub const COMPRESSED_FILE_NAME: &str = "record.json.gz";

/// How a gzip file begins (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// The largest record that is read, in bytes of JSON. A day of one-second intervals has a tenth of it.
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

/// Reads the record of a run, given its folder or its file, which may be compressed with gzip. In a folder with both,
/// `record.json` is read.
pub fn read(run: &Path) -> Result<Record, ReadError> {
    let path = if run.is_dir() { find(run) } else { run.to_owned() };
    let text = read_text(&path, MAX_RECORD_BYTES).map_err(|source| ReadError::Io { path: path.clone(), source })?;
    parse(&text, &path)
}

/// Returns the path of the record in a run's folder, or where it should be.
#[must_use]
pub fn find(folder: &Path) -> PathBuf {
    let compressed = folder.join(COMPRESSED_FILE_NAME);
    let plain = folder.join(FILE_NAME);
    if compressed.exists() && !plain.exists() { compressed } else { plain }
}

/// Reads a text of at most this many bytes, and decompresses it if it is a gzip file. Small files can decompress to huge texts,
/// so the limit holds for both.
fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let mut bytes = input::read(path, max_bytes)?;
    if bytes.starts_with(&GZIP_MAGIC) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(bytes.as_slice()).take(max_bytes + 1).read_to_end(&mut plain)?;
        if plain.len() as u64 > max_bytes {
            return Err(input::too_large(max_bytes));
        }
        bytes = plain;
    }
    input::text(bytes)
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

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_file_is_decompressed_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any-name");
        let text = "0".repeat(1000);
        std::fs::write(&path, gzip(&text)).unwrap();
        assert_eq!(read_text(&path, 1000).unwrap(), text);
        assert_eq!(read_text(&path, 999).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&path, &gzip(&text)[..20]).unwrap();
        assert_eq!(read_text(&path, 1000).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read_text(&path, 1000).unwrap(), text);
    }

    #[test]
    fn record_in_a_folder_may_be_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let found = || find(folder.path()).file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(found(), FILE_NAME, "named in the error if there is none");
        std::fs::write(folder.path().join(COMPRESSED_FILE_NAME), "").unwrap();
        assert_eq!(found(), COMPRESSED_FILE_NAME);
        std::fs::write(folder.path().join(FILE_NAME), "").unwrap();
        assert_eq!(found(), FILE_NAME);
    }
}
