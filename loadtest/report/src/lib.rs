//! Reports of a record: HTML, Markdown, charts and histogram logs.
//!
//! A report is built once, as a `document`, and rendered three times: for a browser, for a pull
//! request, and for a terminal. Every byte written is a function of the record alone: no clock, no
//! randomness, no network, so that a report can be regenerated and compared.

mod assets;
mod chart;
mod document;
mod exports;
mod figure;
mod hdr;
mod html;
mod markdown;
mod printable;
mod sections;
mod slug;
mod svg;
mod terminal;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use engine::record::Record;
use evidence::{Evidence, EvidenceError, SloTable};

pub use exports::GATE_PULL_REQUEST;
pub use printable::printable;

/// A report could not be created.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The record is damaged.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A file could not be written.
    #[error("cannot write {path}: {source}; free disk space or make the folder writable")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path inside the run's folder is a symbolic link or not a folder.
    #[error(
        "cannot write into {path}: it is a symbolic link or not a folder; remove it and run `authbench report` again"
    )]
    NotAFolder {
        /// The folder.
        path: PathBuf,
    },
}

/// Writes every report of a record into the run's folder and returns the files written.
///
/// Existing files are replaced. If a chart cannot be drawn, the reports name it and the reason.
/// Nothing is written through a symbolic link.
pub fn write(folder: &Path, record: &Record) -> Result<Vec<PathBuf>, ReportError> {
    let evidence = Evidence::of(record)?;
    let mut document = sections::document(record, &evidence);
    // Before the charts, which take their time: it fails if a histogram is damaged.
    let logs = hdr::files(record, &evidence)?;
    let drawn = svg::draw_all(&document.charts());
    document.replace_missing(&drawn.missing);
    let Texts { html, markdown } = Texts::of(&document);
    let mut files = vec![File::new("report.html", html), File::new("report.md", markdown)];
    files.extend(exports::files(record, &evidence));
    files.extend(drawn.files);
    files.extend(logs);
    files.iter().map(|file| file.write(folder)).collect()
}

/// The texts of a report, without the files that they refer to.
pub struct Texts {
    /// The content of `report.html`, which draws its charts itself.
    pub html: String,
    /// The content of `report.md`.
    pub markdown: String,
}

/// Returns the texts of a record's report. Drawing the charts for Markdown takes most of the time of [`write`].
pub fn texts(record: &Record) -> Result<Texts, ReportError> {
    Ok(Texts::of(&sections::document(record, &Evidence::of(record)?)))
}

impl Texts {
    fn of(document: &document::Document) -> Self {
        Self { html: html::render(document), markdown: markdown::render(document) }
    }
}

/// Returns the short table for the end of a run: plain text, aligned, without colours.
pub fn summary(record: &Record) -> Result<String, ReportError> {
    let evidence = Evidence::of(record)?;
    Ok(terminal::render(&sections::summarize(record, &evidence)))
}

/// Returns the result of a search in words.
#[must_use]
pub fn slo_sentence(found: &SloTable) -> String {
    sections::slo::sentence(found).replace('`', "")
}

/// A file of the run's folder that is not yet written.
struct File {
    /// Relative to the folder.
    name: String,
    content: Vec<u8>,
}

impl File {
    fn new(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into() }
    }

    fn write(&self, folder: &Path) -> Result<PathBuf, ReportError> {
        let path = folder.join(&self.name);
        let failed = |source| ReportError::Write { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let parents: Vec<&Path> = Path::new(&self.name).ancestors().skip(1).collect();
        // From the outermost to the innermost; the last one is the run's folder itself.
        for parent in parents.iter().rev().skip(1) {
            make_folder(&folder.join(parent))?;
        }
        engine::output::replace(&path, |file| file.write_all(&self.content)).map_err(failed)?;
        Ok(path)
    }
}

/// Creates a folder unless it exists. The run's folder may have been created by another user.
fn make_folder(path: &Path) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(ReportError::NotAFolder { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}
