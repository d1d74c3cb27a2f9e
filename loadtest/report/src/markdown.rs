//! `report.md`: the same report for a pull request or a decision record.

use std::fmt::Write as _;

use crate::chart::Chart;
use crate::document::{Block, Cell, Column, DAGGER, Document, RowGroup, Span, Table, spans};
use crate::printable::printable;
use crate::svg::Theme;

/// Returns the document in GitHub Flavored Markdown.
pub(crate) fn render(document: &Document) -> String {
    let mut out = format!("# {}\n\n{}\n", prose(&document.title), prose(&document.subtitle));
    for section in &document.sections {
        let _ = write!(out, "\n## {}\n", prose(&section.title));
        for block in &section.blocks {
            out.push('\n');
            out.push_str(&self::block(block));
        }
    }
    printable(&out).into_owned()
}

fn block(block: &Block) -> String {
    match block {
        Block::Paragraph(text) => format!("{}\n", prose(text)),
        Block::Notice(text) => format!("> **Note:** {}\n", prose(text)),
        Block::Heading(text) => format!("### {}\n", prose(text)),
        Block::List(items) => concat(items.iter().map(|item| format!("- {}\n", prose(item)))),
        Block::Terms(terms) => {
            concat(terms.iter().map(|(word, meaning)| format!("- **{}**: {}\n", prose(word), prose(meaning))))
        }
        Block::Code(text) => fenced(text),
        Block::Table(table) => self::table(table),
        Block::Chart(chart) => picture(chart),
        Block::Folded { summary, blocks } => {
            let inside = concat(blocks.iter().map(|block| format!("\n{}", self::block(block))));
            format!("<details><summary>{}</summary>\n{inside}\n</details>\n", prose(summary))
        }
    }
}

fn concat(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

/// Returns a code block whose fence is longer than any run of backticks inside.
fn fenced(text: &str) -> String {
    let longest = text.split(|each| each != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}sh\n{text}\n{fence}\n")
}

fn prose(text: &str) -> String {
    let span = |span| match span {
        Span::Plain(text) => escape(text),
        Span::Code(text) => code(text),
    };
    spans(text).into_iter().map(span).collect()
}

/// Returns inline code: in backticks if it contains only harmless characters, else as escaped HTML.
fn code(text: &str) -> String {
    let tame = |each: char| each.is_ascii_alphanumeric() || " -_./:*=".contains(each);
    if text.chars().all(tame) { format!("`{text}`") } else { format!("<code>{}</code>", escape(text)) }
}

/// Escapes all characters that Markdown or HTML interprets.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => out.extend(['\\', each]),
            other => out.push(other),
        }
    }
    out
}

fn table(table: &Table) -> String {
    let mut out = format!("**{}**\n\n", prose(&table.caption));
    let heads: Vec<String> = table.columns.iter().map(head).collect();
    let rules: Vec<&str> = table.columns.iter().map(|column| if column.numeric { "---:" } else { "---" }).collect();
    let _ = writeln!(out, "| {} |\n| {} |", heads.join(" | "), rules.join(" | "));
    for group in &table.groups {
        out.push_str(&row_group(table, group));
    }
    for note in &table.footnotes {
        let _ = write!(out, "\n<sub>{}</sub>\n", prose(note));
    }
    out
}

fn head(column: &Column) -> String {
    if column.unit.is_empty() {
        prose(&column.title)
    } else {
        format!("{}<br><sub>{}</sub>", prose(&column.title), prose(&column.unit))
    }
}

fn row_group(table: &Table, group: &RowGroup) -> String {
    let mut out = String::new();
    if !group.title.is_empty() {
        let _ = writeln!(out, "| **{}** |{}", prose(&group.title), " |".repeat(table.columns.len() - 1));
    }
    for row in &group.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

fn cell(cell: &Cell) -> String {
    let text = if cell.greyed { format!("*{}*{DAGGER}", prose(&cell.text)) } else { prose(&cell.text) };
    if cell.note.is_empty() { text } else { format!("{text}<br><sub>{}</sub>", prose(&cell.note)) }
}

fn picture(chart: &Chart) -> String {
    let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| crate::svg::file_name(chart, theme));
    let alt = chart.alt.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<picture>\n<source media=\"(prefers-color-scheme: dark)\" srcset=\"{dark}\">\n<img alt=\"{}\" src=\"{light}\">\n</picture>\n",
        alt.replace(['\n', '\r'], " ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_escaped() {
        assert_eq!(prose("a <b> | *c* `d|e`"), "a &lt;b&gt; \\| \\*c\\* <code>d\\|e</code>");
        assert_eq!(fenced("a ``` b"), "````sh\na ``` b\n````\n");
    }
}
