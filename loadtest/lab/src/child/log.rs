//! The file that a child writes to, from the place where its own output begins.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// How much of a log's end an error quotes, in bytes and in lines.
const TAIL_BYTES: u64 = 4096;
const TAIL_LINES: usize = 10;

/// A log that several processes in turn may append to; this is the part of one of them.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    start: u64,
}

impl Log {
    /// Opens the log for appending, and creates its parent directories.
    pub(super) fn open(path: &Path) -> io::Result<(Self, File)> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let start = file.metadata()?.len();
        Ok((Self { path: path.to_owned(), start }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole lines written so far; none where the file cannot be read.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = self.read_from(self.start).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |kill_and_wait| &text[..kill_and_wait]);
        whole.lines().map(str::to_owned).collect()
    }

    /// The last lines, for an error's text.
    pub(super) fn tail(&self) -> String {
        let length = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        match self.read_from(self.start.max(length.saturating_sub(TAIL_BYTES))) {
            Ok(text) if text.trim().is_empty() => "(no output)".to_owned(),
            Ok(text) => last_lines(&text),
            Err(error) => format!("(cannot read the log: {error})"),
        }
    }

    fn read_from(&self, offset: u64) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
