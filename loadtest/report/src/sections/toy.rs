//! The section of the toy experiment.

use engine::record::Record;
use evidence::ToyTable;

use super::parts::{Show, SummaryColumn, paragraph};
use super::scheme::{name_cell, row_groups};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::NONE;

impl Show for ToyTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        let row = |scheme: &str, bytes: u64| vec![name_cell(record, scheme), Cell::new(bytes.to_string())];
        let rows = self.rows.iter().map(|point| (point.scheme.clone(), row(&point.scheme, point.body_bytes)));
        let table = Table {
            caption: "Bytes per response".to_owned(),
            columns: vec![Column::text("Scheme"), Column::figure("Body", "bytes")],
            groups: row_groups(record, rows.collect()),
            footnotes: Vec::new(),
        };
        vec![paragraph("The response of each server to a request without a credential."), Block::Table(table)]
    }

    fn sentence(&self, _: &Record) -> Option<String> {
        let most = self.rows.iter().map(|point| point.body_bytes).max()?;
        Some(format!("Toy experiment: no response had more than {most} B."))
    }

    fn columns<'table>(&'table self, _: &'table Record) -> Vec<SummaryColumn<'table>> {
        let cell = |scheme: &str| {
            let row = self.rows.iter().find(|point| point.scheme == scheme);
            row.map_or(Cell::new(NONE), |point| Cell::new(point.body_bytes.to_string()))
        };
        vec![SummaryColumn::new(Column::figure("Toy experiment", "bytes"), cell)]
    }
}
