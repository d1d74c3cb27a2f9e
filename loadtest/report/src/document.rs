//! A report before rendering: headings, sentences, tables and charts.
//!
//! Sentences are plain text in which `` `words in backticks` `` are code. A document contains no
//! markup: each renderer escapes all of it.

use crate::chart::Chart;
use crate::svg::MissingChart;

/// A whole report.
pub(crate) struct Document {
    pub(crate) title: String,
    /// One line below the title.
    pub(crate) subtitle: String,
    pub(crate) sections: Vec<Section>,
}

/// A part with a heading.
pub(crate) struct Section {
    /// Its anchor.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// A piece of a section.
pub(crate) enum Block {
    Paragraph(String),
    /// Text that a reader must not overlook.
    Notice(String),
    /// A smaller heading.
    Heading(String),
    List(Vec<String>),
    /// Words and their meanings.
    Terms(Vec<(String, String)>),
    Code(String),
    Table(Table),
    Chart(Chart),
    /// A collapsed block with details.
    Folded {
        summary: String,
        blocks: Vec<Block>,
    },
}

/// Figures in rows and columns. The first column names the row.
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) groups: Vec<RowGroup>,
    /// Explanations that the cells need.
    pub(crate) footnotes: Vec<String>,
}

/// A column's head.
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) numeric: bool,
}

/// Rows that belong together.
pub(crate) struct RowGroup {
    /// Empty without a title.
    pub(crate) title: String,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Clone, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// Smaller, below: an interval or an explanation.
    pub(crate) note: String,
    /// Greyed, with a dagger: too few samples.
    pub(crate) greyed: bool,
}

/// The mark after a greyed figure.
pub(crate) const DAGGER: &str = "†";

impl Document {
    /// Returns every chart, in order.
    pub(crate) fn charts(&self) -> Vec<&Chart> {
        self.sections.iter().flat_map(|section| charts(&section.blocks)).collect()
    }
}

impl Document {
    /// Replaces each missing chart by a notice with the reason.
    pub(crate) fn replace_missing(&mut self, missing: &[MissingChart]) {
        self.sections.iter_mut().for_each(|section| replace_missing(&mut section.blocks, missing));
    }
}

fn replace_missing(blocks: &mut [Block], missing: &[MissingChart]) {
    for block in blocks {
        match block {
            Block::Folded { blocks, .. } => replace_missing(blocks, missing),
            Block::Chart(chart) => {
                if let Some(MissingChart { chart: name, reason }) = missing.iter().find(|each| each.chart == chart.name)
                {
                    *block = Block::Notice(format!(
                        "The chart “{}” ({name}) is missing: it cannot be drawn ({reason}). Its figures are in the tables.",
                        chart.title
                    ));
                }
            }
            _ => {}
        }
    }
}

fn charts(blocks: &[Block]) -> Vec<&Chart> {
    blocks.iter().flat_map(charts_of).collect()
}

fn charts_of(block: &Block) -> Vec<&Chart> {
    match block {
        Block::Chart(chart) => vec![chart],
        Block::Folded { blocks, .. } => charts(blocks),
        _ => Vec::new(),
    }
}

impl Column {
    pub(crate) fn text(title: impl Into<String>) -> Self {
        Self { title: title.into(), unit: String::new(), numeric: false }
    }

    pub(crate) fn figure(title: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { title: title.into(), unit: unit.into(), numeric: true }
    }
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    pub(crate) fn greyed_if(mut self, greyed: bool) -> Self {
        self.greyed = greyed;
        self
    }
}

/// A part of a sentence.
#[derive(Debug, PartialEq)]
pub(crate) enum Span<'text> {
    Plain(&'text str),
    Code(&'text str),
}

/// Splits a sentence at its backticks. Text with an odd number of backticks has no code.
pub(crate) fn spans(text: &str) -> Vec<Span<'_>> {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return vec![Span::Plain(text)];
    }
    let span = |(place, part)| if place % 2 == 0 { Span::Plain(part) } else { Span::Code(part) };
    parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()).map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::ChartData;

    #[test]
    fn missing_chart_is_named_with_its_reason() {
        let chart = |name: &str| {
            let data = ChartData::Memory { series: Vec::new() };
            let (name, title) = (name.to_owned(), format!("The title of {name}"));
            Block::Chart(Chart { name, title, alt: String::new(), width: 1, height: 1, data })
        };
        let folded = Block::Folded { summary: String::new(), blocks: vec![chart("b"), chart("c")] };
        let section = Section { id: "all", title: String::new(), blocks: vec![chart("a"), folded] };
        let mut document = Document { title: String::new(), subtitle: String::new(), sections: vec![section] };
        document.replace_missing(&[MissingChart { chart: "b".to_owned(), reason: "too many points".to_owned() }]);
        let left: Vec<&str> = document.charts().iter().map(|chart| chart.name.as_str()).collect();
        assert_eq!(left, ["a", "c"]);
        let markdown = crate::markdown::render(&document);
        assert!(markdown.contains("The chart “The title of b” (b) is missing: it cannot be drawn (too many points)"));
    }

    #[test]
    fn only_paired_backticks_are_code() {
        assert_eq!(spans("a `b` c"), [Span::Plain("a "), Span::Code("b"), Span::Plain(" c")]);
        assert_eq!(spans("`b`"), [Span::Code("b")]);
        assert_eq!(spans("it`s"), [Span::Plain("it`s")]);
    }
}
