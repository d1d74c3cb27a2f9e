//! `report.html`: a self-contained file that loads nothing from the network.
//!
//! All text from the record goes through `maud`, which escapes it. A content security policy
//! forbids the page to load anything and to run any script except its own two.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::assets::{CHARTS, ECHARTS, STYLE};
use crate::chart::Chart;
use crate::document::{Block, Cell, Column, DAGGER, Document, RowGroup, Section, Span, Table, spans};
use crate::printable::printable;
use crate::slug::slug;

/// Returns the page.
pub(crate) fn render(document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (make_printable(&html! { (document.title) " · authbench" })) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (make_printable(&body(document)))
                script { (PreEscaped(ECHARTS)) }
                script { (PreEscaped(CHARTS)) }
            }
        }
    };
    page.into_string()
}

/// Returns everything on the page except the scripts.
fn body(document: &Document) -> Markup {
    html! {
        a class="skip" href="#answer" { "Skip to summary" }
        header {
            p class="brand" { "authbench" }
            h1 { (document.title) }
            p class="subtitle" { (document.subtitle) }
        }
        (contents(&document.sections))
        main { @for section in &document.sections { (self::section(section)) } }
    }
}

/// Returns markup without characters that control a terminal or change the text direction.
fn make_printable(markup: &Markup) -> Markup {
    PreEscaped(printable(&markup.0).into_owned())
}

/// Returns the content security policy: nothing is loaded, and only the two scripts run.
///
/// Styles are inline because `ECharts` sets them on its tooltip.
fn policy() -> String {
    let hash = |script: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
    format!(
        "default-src 'none'; script-src {} {}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        hash(ECHARTS),
        hash(CHARTS)
    )
}

fn contents(sections: &[Section]) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul { @for section in sections { li { a href={ "#" (section.id) } { (section.title) } } } }
        }
    }
}

fn section(section: &Section) -> Markup {
    html! {
        section id=(section.id) aria-labelledby={ (section.id) "-title" } {
            h2 id={ (section.id) "-title" } { (section.title) }
            @for block in &section.blocks { (self::block(block)) }
        }
    }
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Paragraph(text) => html! { p { (prose(text)) } },
        Block::Notice(text) => html! { p class="notice" role="note" { (prose(text)) } },
        Block::Heading(text) => html! { h3 { (prose(text)) } },
        Block::List(items) => html! { ul { @for item in items { li { (prose(item)) } } } },
        Block::Terms(terms) => html! {
            dl { @for (word, meaning) in terms { dt { (prose(word)) } dd { (prose(meaning)) } } }
        },
        Block::Code(text) => html! { pre tabindex="0" { code { (text) } } },
        Block::Table(table) => self::table(table),
        Block::Chart(chart) => self::chart(chart),
        Block::Folded { summary, blocks } => html! {
            details { summary { (prose(summary)) } @for block in blocks { (self::block(block)) } }
        },
    }
}

fn prose(text: &str) -> Markup {
    html! {
        @for span in spans(text) {
            @match span {
                Span::Plain(text) => (text),
                Span::Code(text) => code { (text) },
            }
        }
    }
}

fn table(table: &Table) -> Markup {
    html! {
        div class="table" role="region" aria-label=(table.caption) tabindex="0" {
            table {
                caption { (table.caption) }
                thead { tr { @for column in &table.columns { (head(column)) } } }
                @for group in &table.groups { (row_group(table, group)) }
            }
        }
        @for note in &table.footnotes { p class="footnote" { (prose(note)) } }
    }
}

fn head(column: &Column) -> Markup {
    html! {
        th scope="col" class=[column.numeric.then_some("figure")] {
            (column.title)
            @if !column.unit.is_empty() { " " span class="unit" { (column.unit) } }
        }
    }
}

fn row_group(table: &Table, group: &RowGroup) -> Markup {
    html! {
        tbody {
            @if !group.title.is_empty() {
                tr class="group" { th scope="rowgroup" colspan=(table.columns.len()) { (group.title) } }
            }
            @for row in &group.rows {
                tr {
                    @for (cell, column) in row.iter().zip(&table.columns).take(1) {
                        th scope="row" class=[column.numeric.then_some("figure")] { (self::cell(cell)) }
                    }
                    @for (cell, column) in row.iter().zip(&table.columns).skip(1) {
                        td class=[column.numeric.then_some("figure")] { (self::cell(cell)) }
                    }
                }
            }
        }
    }
}

fn cell(cell: &Cell) -> Markup {
    html! {
        @if cell.greyed {
            span class="weak" title="fewer than 100 samples above it" { (prose(&cell.text)) (DAGGER) }
        } @else { (prose(&cell.text)) }
        @if !cell.note.is_empty() { span class="note" { (prose(&cell.note)) } }
    }
}

fn chart(chart: &Chart) -> Markup {
    let data = chart.json();
    html! {
        figure {
            figcaption { (chart.title) }
            div class="chart" id={ "chart-" (slug(&chart.name)) } role="img" aria-label=(chart.alt)
                style={ "height:" (chart.height) "px" } {
                script type="application/json" { (PreEscaped(inert(&data))) }
            }
            noscript { p class="footnote" { "Charts need JavaScript. The same charts are in " code { "charts/" } ", their figures in the tables." } }
        }
    }
}

/// Returns JSON that cannot end its script element.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_data_is_escaped_in_html() {
        assert_eq!(inert("\"</script><b>&\""), "\"\\u003c/script\\u003e\\u003cb\\u003e\\u0026\"");
    }
}
