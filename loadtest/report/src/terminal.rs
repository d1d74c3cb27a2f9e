//! The short table at the end of a run: plain text, aligned.

use std::borrow::Cow;
use std::iter;

use textwrap::{Options, WordSplitter, wrap};

use crate::document::{Cell, DAGGER, Table};
use crate::printable::on_one_line;
use crate::sections::Summary;

/// Space between columns.
const GAP: &str = "  ";
/// The width at which the head of a column is wrapped.
const HEAD_WIDTH: usize = 16;

/// Returns the summary as text, each line with a line feed.
pub(crate) fn render(summary: &Summary) -> String {
    let mut lines: Vec<String> = summary.table.iter().flat_map(table).collect();
    lines.extend(summary.lines.iter().map(|line| on_one_line(line)));
    lines.push(String::new());
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn table(table: &Table) -> Vec<String> {
    let heads = heads(table);
    let rows = || table.groups.iter().flat_map(|group| &group.rows);
    let texts: Vec<Vec<String>> =
        rows().map(|row| row.iter().enumerate().map(|(at, each)| cell(at, each)).collect()).collect();
    let width = |at: usize| {
        let all = texts.iter().chain(&heads);
        all.filter_map(|row| row.get(at)).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let aligned = |row: &[String]| -> String {
        let cells = row.iter().zip(&widths).enumerate();
        cells.map(|(at, (text, width))| pad(text, *width, table.columns[at].numeric)).collect::<Vec<_>>().join(GAP)
    };
    let mut lines: Vec<String> = heads.iter().map(|row| aligned(row)).collect();
    let mut texts = texts.iter();
    for group in &table.groups {
        lines.push(on_one_line(&group.title));
        lines.extend(texts.by_ref().take(group.rows.len()).map(|row| aligned(row)));
    }
    lines
}

/// Returns titles and units, wrapped so that no head is much wider than its figures.
fn heads(table: &Table) -> Vec<Vec<String>> {
    let wrapped: Vec<Vec<String>> = table.columns.iter().map(|column| wrap_head(&column.title, &column.unit)).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| wrapped.iter().map(|lines| lines.get(at).cloned().unwrap_or_default()).collect();
    (0..height).map(line).collect()
}

fn wrap_head(title: &str, unit: &str) -> Vec<String> {
    let options = Options::new(HEAD_WIDTH).word_splitter(WordSplitter::NoHyphenation).break_words(false);
    let unit = wrap(unit, options).into_iter().map(Cow::into_owned).filter(|line| !line.is_empty());
    iter::once(title.to_owned()).chain(unit).collect()
}

/// Formats a cell. The first column is only the name: the class is in the line above.
fn cell(column: usize, cell: &Cell) -> String {
    let text = on_one_line(&cell.text.replace('`', ""));
    let mark = if cell.greyed { DAGGER } else { "" };
    let bracketed = cell.note.starts_with('[');
    if column == 0 {
        format!("  {text}")
    } else if bracketed {
        format!("{text}{mark} {}", on_one_line(&cell.note))
    } else {
        format!("{text}{mark}")
    }
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let room = " ".repeat(width.saturating_sub(text.chars().count()));
    if right { format!("{room}{text}") } else { format!("{text}{room}") }
}
