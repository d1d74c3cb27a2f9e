//! The parts of every section.

use engine::record::Record;
use evidence::statistics::Estimate;

use crate::document::{Block, Cell, Column, Section};
use crate::figure::{NONE, bracket, plain};

/// The report of one experiment; implemented in the module of each experiment.
pub(super) trait Show {
    /// Returns its section, below the title.
    fn blocks(&self, record: &Record) -> Vec<Block>;

    /// Returns its part of the summary, in a sentence or two; none without a result.
    fn sentence(&self, record: &Record) -> Option<String>;

    /// Returns its columns of the summary table.
    fn columns<'table>(&'table self, _: &'table Record) -> Vec<SummaryColumn<'table>> {
        Vec::new()
    }

    /// Returns notices for the top of the report.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the lines for the terminal at the end of a run.
    fn lines(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A column of the summary table: its head, and its cell for a scheme.
pub(super) struct SummaryColumn<'table> {
    pub(super) head: Column,
    pub(super) cell: Box<dyn Fn(&str) -> Cell + 'table>,
}

impl<'table> SummaryColumn<'table> {
    pub(super) fn new(head: Column, cell: impl Fn(&str) -> Cell + 'table) -> Self {
        Self { head, cell: Box::new(cell) }
    }
}

pub(super) fn paragraph(text: impl Into<String>) -> Block {
    Block::Paragraph(text.into())
}

/// Returns the method and the limitations of a section.
pub(super) fn method(how: Vec<String>, limits: Vec<String>) -> Vec<Block> {
    vec![
        Block::Heading("Method".to_owned()),
        Block::List(how),
        Block::Heading("Limitations".to_owned()),
        Block::List(limits),
    ]
}

/// Formats an estimate, with its interval below.
pub(super) fn estimated(found: Option<Estimate>) -> Cell {
    found.map_or(Cell::new(NONE), |found| {
        Cell::new(plain(found.value)).with_note(found.interval.as_ref().map(bracket).unwrap_or_default())
    })
}

/// Formats the number of invalid rounds.
pub(super) fn invalid_count(excluded: usize) -> String {
    if excluded == 0 { String::new() } else { format!("{excluded} invalid") }
}

/// Creates a section from blocks.
pub(super) fn section(id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    Section { id, title: title.to_owned(), blocks }
}
