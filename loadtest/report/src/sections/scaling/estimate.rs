//! Horizontal scaling without CPU quotas: an estimate from the CPU time per request.

use engine::record::Record;
use evidence::{DemandRow, ScalingTable, is_control};

use super::super::grouping::{SchemeText, list_after_colon};
use super::super::parts::{estimated, method, paragraph};
use super::super::scheme::{name_cell, row_groups};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, grouped, listed, plain};

pub(super) fn blocks(record: &Record, table: &ScalingTable) -> Vec<Block> {
    let mut blocks = vec![
        paragraph(
            "An estimate. No CPU quota could be set here, so more than one node was not measured. The run measured \
             the CPU time per request, with one node and unrestricted CPU. If CPU time is the only limit, N nodes \
             over one store sustain the smaller of N times the capacity of one node and the capacity of the store.",
        ),
        Block::Table(demand_table(record, table)),
    ];
    blocks.extend(method(method_items(), limitations()));
    blocks
}

/// Returns the number of nodes that saturates the store.
pub(super) fn sentence(record: &Record, table: &ScalingTable) -> Option<String> {
    let parts = table.demands.iter().filter(|row| !is_control(&row.scheme)).filter_map(|row| {
        let saturation_nodes = row.law().saturation_nodes()?;
        Some(SchemeText {
            scheme: &row.scheme,
            figure: saturation_nodes,
            text: format!("{} with `{}`", plain(saturation_nodes), row.scheme),
        })
    });
    let parts: Vec<SchemeText<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Horizontal scaling: not measured, because no CPU quota could be set. By the CPU time per request, a \
             store with as much CPU as a node would be saturated at this number of nodes{}.",
            list_after_colon(record, parts, listed)
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
            law.saturation_nodes().map_or_else(none, |saturation_nodes| Cell::new(plain(saturation_nodes))),
            rps(row.rps_per_cpu()),
        ]
    };
    Table {
        caption: "CPU time per request, and the throughput estimated from it".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Server CPU", "µs per request"),
            Column::figure("Store CPU", "µs per request"),
            Column::figure("One node", "requests/s per CPU, at most"),
            Column::figure("Store", "requests/s per CPU, at most"),
            Column::figure("Store saturated at", "nodes of the same size"),
            Column::figure("Nodes and store", "requests/s per CPU, both saturated"),
        ],
        groups: row_groups(record, table.demands.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "CPU time: the median of the rounds; brackets hold its 95 % interval over rounds. All other columns are \
             calculated from it."
                .to_owned(),
        ],
    }
}

fn method_items() -> Vec<String> {
    vec![
        "Each block measures one node of every scheme once, in a new random order, with a saturated closed loop."
            .to_owned(),
        "The CPU time of server and store comes from the CPU clocks of their processes. A CPU that is busy for t µs \
         per request handles at most 1,000,000 / t requests per second."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "Only one node was measured: the estimate ignores locks, queues and the cost of more connections.".to_owned(),
        "A saturated store handles several requests per wake-up and spends less on each than it did here, so it can \
         sustain more than this estimate."
            .to_owned(),
        "Where control groups or a systemd user instance are available, the same experiment measures one to eight \
         nodes; `authbench doctor` reports how to enable them."
            .to_owned(),
    ]
}
