//! Reading untrusted files: only regular ones, and only up to a size.
//!
//! A run's directory often comes from another user, and a path on the command line is easily mistyped: a FIFO would
//! block without end, `/dev/zero` would fill the memory.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The largest file that holds a setting, a plan or a key, in bytes.
pub const MAX_CONFIG_FILE_BYTES: u64 = 1 << 20;

/// Returns the text of a regular file of at most this many bytes.
pub fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    text(read(path, max_bytes)?)
}

/// Returns these bytes as a text.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text"))
}

/// Returns the error for an input of more than this many bytes.
#[must_use]
pub fn too_large(max_bytes: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than the limit of {max_bytes} bytes"))
}

/// Returns the bytes of a regular file of at most this many bytes.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.len() <= max_bytes {
        // One byte more than there may be, because a file can grow while it is read.
        file.take(max_bytes + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= max_bytes {
            return Ok(bytes);
        }
    }
    Err(too_large(max_bytes))
}

/// Rejects anything that is not a regular file.
pub fn check_regular(path: &Path) -> io::Result<()> {
    match open(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a regular file, without waiting for the other end of a FIFO.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let other = format!("{}, not a regular file", name(kind));
    Err(io::Error::new(io::ErrorKind::InvalidInput, other))
}

fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO or a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn only_regular_files_up_to_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("text"), "four").unwrap();
        assert_eq!(read_text(&at("text"), 4).unwrap(), "four");
        std::os::unix::fs::symlink(at("text"), at("link")).unwrap();
        assert_eq!(read_text(&at("link"), 4).unwrap(), "four", "a mounted secret is a symbolic link");
        assert_eq!(read_text(&at("text"), 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(Path::new("/proc/self/maps"), 5).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(at("bytes"), [0xFF]).unwrap();
        assert!(read_text(&at("bytes"), 4).unwrap_err().to_string().contains("not UTF-8"));
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        for (path, what) in
            [(at("fifo"), "a FIFO"), (folder.path().to_owned(), "a directory"), ("/dev/zero".into(), "a device")]
        {
            let error = read(&path, 4).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
