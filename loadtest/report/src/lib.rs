//! From a record to what people read: HTML, Markdown, charts and histogram logs.
//!
//! One story is told once, as a `document`, and rendered three times: for a browser, for a pull
//! request, and for a terminal. Every byte written is a function of the record alone: no clock, no
//! chance, no network, so that a report can be made again and compared.

mod assets;
mod chart;
mod document;
mod figure;
mod hdr;
mod html;
mod markdown;
mod slug;
mod story;
mod svg;
mod terminal;

use std::io;
use std::path::{Path, PathBuf};

use engine::record::Record;
use evidence::{Evidence, EvidenceError, SloTable};

/// A report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The record is damaged.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}; free some room there, or make the folder writable")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The charting library failed: a defect of authbench.
    #[error("cannot draw the chart {chart}: {reason}; please report it with the record")]
    Chart {
        /// The chart's name.
        chart: String,
        /// What the script said.
        reason: String,
    },
}

/// Writes every report of a record into the run's folder, over older ones. Gives the files written.
pub fn write(folder: &Path, record: &Record) -> Result<Vec<PathBuf>, ReportError> {
    let evidence = Evidence::of(record)?;
    let document = story::tell(record, &evidence);
    let mut files =
        vec![File::new("report.html", html::render(&document)), File::new("report.md", markdown::render(&document))];
    files.extend(svg::files(document.charts())?);
    files.extend(hdr::files(record, &evidence));
    files.iter().map(|file| file.write(folder)).collect()
}

/// The short table for the end of a run: plain text, aligned, without colours.
pub fn summary(record: &Record) -> Result<String, ReportError> {
    let evidence = Evidence::of(record)?;
    Ok(terminal::render(&story::summarize(record, &evidence)))
}

/// What a search found, in words.
#[must_use]
pub fn slo_sentence(found: &SloTable) -> String {
    story::slo::sentence(found).replace('`', "")
}

/// A file of the run's folder, made but not yet written.
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
        let parent = path.parent().expect("a file stands in a folder");
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, &self.content));
        written.map(|()| path.clone()).map_err(|source| ReportError::Write { path, source })
    }
}
