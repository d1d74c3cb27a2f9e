//! Programs of this workspace that belong to other packages.

use std::path::PathBuf;

/// Returns the path of a program that was built with the tests, such as `session-server` or `examples/broken`.
///
/// It is not built here: with the features of one package alone, all that it depends on would be built a second time.
pub fn program(name: &str) -> PathBuf {
    let test_binary = std::env::current_exe().unwrap();
    let path = test_binary.parent().unwrap().parent().unwrap().join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins --examples` first", path.display());
    path
}
