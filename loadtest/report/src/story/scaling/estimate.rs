//! More nodes where none could be sliced: an estimate from what a request costs.

use engine::record::Record;
use evidence::{DemandRow, ScalingTable, is_control};

use super::super::many::{Said, told_of_each};
use super::super::parts::{estimated, method, paragraph};
use super::super::scheme::{name_cell, row_groups};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, grouped, listed, plain};

pub(super) fn blocks(record: &Record, table: &ScalingTable) -> Vec<Block> {
    let mut blocks = vec![
        paragraph(
            "An estimate. No process could be given a share of a processor here, so that more nodes than one were not measured. What \
             was measured is the CPU time of a request, with one node on whole processors. If nothing but that time limits them, N \
             nodes over one store carry the smaller of N times what one node can and what the store can.",
        ),
        Block::Table(demand_table(record, table)),
    ];
    blocks.extend(method(how(), limits()));
    blocks
}

/// Where the nodes' work would end at the store's.
pub(super) fn sentence(record: &Record, table: &ScalingTable) -> Option<String> {
    let parts = table.demands.iter().filter(|row| !is_control(&row.scheme)).filter_map(|row| {
        let bend = row.law().bend()?;
        Some(Said { scheme: &row.scheme, figure: bend, text: format!("{} with `{}`", plain(bend), row.scheme) })
    });
    let parts: Vec<Said<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "More nodes: not measured, because no process could be given a share of a processor. By the CPU time of a request, a \
             store that is as large as a node would be full with so many nodes{}.",
            told_of_each(record, parts, listed)
        )
    })
}

fn demand_table(record: &Record, table: &ScalingTable) -> Table {
    let cells = |row: &DemandRow| {
        let (law, rps) = (row.law(), |rps: f64| Cell::new(grouped(rps)));
        let none = || Cell::new(NONE);
        vec![
            name_cell(record, &row.scheme),
            estimated(Some(row.server_us)),
            estimated(row.store_us),
            rps(law.node_rps),
            law.store_rps.map_or_else(none, rps),
            law.bend().map_or_else(none, |bend| Cell::new(plain(bend))),
            rps(row.rps_per_cpu()),
        ]
    };
    Table {
        caption: "What a request costs, and what nodes would carry by it".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Server CPU", "µs a request"),
            Column::figure("Store CPU", "µs a request"),
            Column::figure("One node", "requests/s a processor, at most"),
            Column::figure("The store", "requests/s a processor, at most"),
            Column::figure("Store full at", "nodes as large as it"),
            Column::figure("Nodes and store", "requests/s a processor, both full"),
        ],
        groups: row_groups(record, table.demands.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "CPU time: the median of the rounds, in brackets its 95 % interval over rounds. All else follows from it."
                .to_owned(),
        ],
    }
}

fn how() -> Vec<String> {
    vec![
        "One node of every scheme is visited once in each block, in an order drawn anew, by a saturated closed loop."
            .to_owned(),
        "CPU time of server and store comes from their processes' own clocks. What keeps a processor busy for so many \
         microseconds carries no more requests per second than fit into one."
            .to_owned(),
    ]
}

fn limits() -> Vec<String> {
    vec![
        "Nothing here was seen on more nodes than one: not locks, not queues, not what more connections cost.".to_owned(),
        "A store that is full answers several requests with each waking and spends less on each than it did here, so it can \
         carry more than this says."
            .to_owned(),
        "Where control groups or a user's systemd can be had, the same experiment measures one to eight nodes; `authbench doctor` \
         says how to get them."
            .to_owned(),
    ]
}
