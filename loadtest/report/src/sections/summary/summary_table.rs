//! The summary table.

use engine::Experiment;
use engine::record::{GateExperiment, Record};

use crate::document::{Column, Table};
use crate::sections::parts::{Show, SummaryColumn};
use crate::sections::scheme::{name_cell, row_groups};

/// Returns the table; none if no scheme was measured.
pub(crate) fn summary_table(record: &Record, tables: &[(Experiment, &dyn Show)]) -> Option<Table> {
    let columns: Vec<SummaryColumn<'_>> = tables.iter().flat_map(|(_, table)| table.columns(record)).collect();
    let row = |scheme: &str| {
        let cells = columns.iter().map(|column| (column.cell)(scheme));
        std::iter::once(name_cell(record, scheme)).chain(cells).collect()
    };
    let rows = record.schemes.iter().map(|each| (each.scheme.clone(), row(&each.scheme))).collect();
    let groups = row_groups(record, rows);
    let mut heads = vec![Column::text("Scheme")];
    heads.extend(columns.into_iter().map(|column| column.head));
    let has_intervals = record.data::<GateExperiment>().is_none();
    let brackets = "Brackets hold intervals of at least 95 % confidence: one in twenty may miss the true value. Those of \
                    response times show how much rounds differ from each other. † greyed: fewer than 100 samples above the \
                    percentile.";
    (heads.len() > 1 && !groups.is_empty()).then(|| Table {
        caption: "Summary table".to_owned(),
        columns: heads,
        groups,
        footnotes: has_intervals.then(|| brackets.to_owned()).into_iter().collect(),
    })
}
