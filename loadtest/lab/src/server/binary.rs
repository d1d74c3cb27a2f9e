//! Where the servers' binaries are.

use std::env;
use std::path::{Path, PathBuf};

/// The environment variable with the binaries' directory, which has precedence.
pub const BIN_DIR: &str = "AUTHBENCH_BIN_DIR";

/// A binary of this workspace is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot find {name} in {folders}; build it with `cargo build --release --workspace --bins` (scripts/compare.sh \
     does), or set {BIN_DIR} to its directory"
)]
pub struct MissingBinary {
    /// The binary.
    pub name: String,
    /// Where it was looked for.
    pub folders: String,
}

/// Returns the path of a binary of this workspace: in the directory `AUTHBENCH_BIN_DIR`; if that is not set, next to
/// the running program, or one directory above it, where tests find it.
pub fn locate(name: &str) -> Result<PathBuf, MissingBinary> {
    let current_exe = env::current_exe().unwrap_or_default();
    find(name, &folders(env::var_os(BIN_DIR).map(PathBuf::from), &current_exe))
}

fn folders(named: Option<PathBuf>, current_exe: &Path) -> Vec<PathBuf> {
    match named {
        Some(folder) => vec![folder],
        None => current_exe.ancestors().skip(1).take(2).map(Path::to_owned).collect(),
    }
}

fn find(name: &str, folders: &[PathBuf]) -> Result<PathBuf, MissingBinary> {
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let searched: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        MissingBinary { name: name.to_owned(), folders: searched.join(" or ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_directory_has_precedence() {
        let current_exe = Path::new("/repo/target/debug/deps/test-1234");
        assert_eq!(folders(None, current_exe), [Path::new("/repo/target/debug/deps"), Path::new("/repo/target/debug")]);
        assert_eq!(folders(Some("/opt/bin".into()), current_exe), [Path::new("/opt/bin")]);
    }

    #[test]
    fn missing_binary_error_says_how_to_build_it() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().join("none"), folder.path().to_owned()];
        let message = find("jwt-server", &folders).unwrap_err().to_string();
        assert!(message.contains("cargo build --release --workspace --bins"), "{message}");
        assert!(message.contains(&*folder.path().to_string_lossy()), "{message}");
        std::fs::write(folder.path().join("jwt-server"), "").unwrap();
        assert_eq!(find("jwt-server", &folders), Ok(folder.path().join("jwt-server")));
    }
}
