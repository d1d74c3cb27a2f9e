//! Servers under valgrind.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::server::{ServerError, Wrapper};

/// A server cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountersError {
    /// The server does not start under valgrind.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// vgdb, which asks callgrind for its counts, fails.
    #[error("cannot ask callgrind for its counts: {reason}")]
    Ask {
        /// Why.
        reason: String,
    },
    /// A server did not shut down as requested, so that DHAT wrote nothing.
    #[error("a server under DHAT did not shut down as requested ({status}); see its log")]
    Shutdown {
        /// How it exited.
        status: ExitStatus,
    },
    /// The counts cannot be read.
    #[error("cannot read the counts in {path}: {source}; free disk space or set TMPDIR to another folder", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The counts are not in the expected format.
    #[error("{path} is not in the format of {tool}: {reason}; authbench is tested with valgrind 3.19", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The tool that wrote it.
        tool: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Where vgdb and valgrind meet: inside the folder, so that nothing is left in the system's.
pub(super) fn vgdb_prefix(folder: &Path) -> OsString {
    let mut option = OsString::from("--vgdb-prefix=");
    option.push(folder.join("vgdb"));
    option
}

/// A valgrind tool that keeps its files in this folder.
pub(super) fn wrapper(tool: &str, folder: &Path, output: &Path, options: &[&str]) -> Wrapper {
    let mut file = OsString::from(format!("--{tool}-out-file="));
    file.push(output);
    let mut args: Vec<OsString> = vec![format!("--tool={tool}").into(), "--quiet".into(), vgdb_prefix(folder), file];
    args.extend(options.iter().map(OsString::from));
    Wrapper { program: "valgrind".into(), args }
}

/// Reads what a tool wrote.
pub(super) fn read(path: &Path) -> Result<String, CountersError> {
    let failed = |source| CountersError::Read { path: path.to_owned(), source };
    // Names of functions need not be UTF-8.
    Ok(String::from_utf8_lossy(&std::fs::read(path).map_err(failed)?).into_owned())
}
