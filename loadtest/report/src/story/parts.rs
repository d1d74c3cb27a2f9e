//! What every section is made of.

use engine::record::Record;
use evidence::statistics::Estimate;

use crate::document::{Block, Cell, Column, Section};
use crate::figure::{NONE, bracket, plain};

/// What a report shows of the figures of one experiment. Each does it in the module of its experiment.
pub(super) trait Show {
    /// Its section, below the title.
    fn blocks(&self, record: &Record) -> Vec<Block>;

    /// Its part of the short answer, in a sentence or two; none where nothing can be said.
    fn sentence(&self, record: &Record) -> Option<String>;

    /// Its columns in the table at a glance.
    fn columns<'table>(&'table self, _: &'table Record) -> Vec<GlanceColumn<'table>> {
        Vec::new()
    }

    /// What must be read before everything else.
    fn alarms(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a terminal shows at the end of a run, line by line.
    fn lines(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A column of the table at a glance: its head, and its cell for a scheme.
pub(super) struct GlanceColumn<'table> {
    pub(super) head: Column,
    pub(super) cell: Box<dyn Fn(&str) -> Cell + 'table>,
}

impl<'table> GlanceColumn<'table> {
    pub(super) fn new(head: Column, cell: impl Fn(&str) -> Cell + 'table) -> Self {
        Self { head, cell: Box::new(cell) }
    }
}

pub(super) fn paragraph(text: impl Into<String>) -> Block {
    Block::Paragraph(text.into())
}

/// How a section's numbers came about, and what they cannot say.
pub(super) fn method(how: Vec<String>, limits: Vec<String>) -> Vec<Block> {
    vec![
        Block::Heading("Method".to_owned()),
        Block::List(how),
        Block::Heading("Limitations".to_owned()),
        Block::List(limits),
    ]
}

/// An estimate, with its interval below.
pub(super) fn estimated(found: Option<Estimate>) -> Cell {
    found.map_or(Cell::new(NONE), |found| {
        Cell::new(plain(found.value)).with_note(found.interval.as_ref().map(bracket).unwrap_or_default())
    })
}

/// How many rounds do not count.
pub(super) fn left_out(excluded: usize) -> String {
    if excluded == 0 { String::new() } else { format!("{excluded} invalid") }
}

/// A section with these blocks.
pub(super) fn section(id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    Section { id, title: title.to_owned(), blocks }
}
