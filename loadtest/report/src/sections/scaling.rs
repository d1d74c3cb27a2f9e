//! The section on horizontal scaling.

mod estimate;

use engine::record::{QuotaSizes, Record};
use evidence::{
    ERROR_LIMIT, FIT_NODES, Prediction, SATURATED_SHARE, Saturated, ScalingRow, ScalingSize, ScalingTable, UslFit,
};

use super::grouping::{Panel, SchemeText, list_after_colon, panels};
use super::parts::{Show, method, paragraph};
use super::scheme::{name_cell, row_groups};
use crate::chart::{Chart, ChartData, LineAxis, LineSeries, LineUnit, Subject};
use crate::document::{Block, Cell, Column, Table};
use crate::figure::{NONE, bracket, count, grouped, listed, plain, signed_percent};

impl Show for ScalingTable {
    fn blocks(&self, record: &Record) -> Vec<Block> {
        if self.no_quota_reason.is_some() { estimate::blocks(record, self) } else { blocks(record, self) }
    }

    fn sentence(&self, record: &Record) -> Option<String> {
        sentence(record, self)
    }
}

/// Returns the scaling factor on the most nodes, or its estimate. None if the run shows nothing
/// about its schemes.
fn sentence(record: &Record, table: &ScalingTable) -> Option<String> {
    if table.no_quota_reason.is_some() {
        return estimate::sentence(record, table);
    }
    let most = table.most_nodes()?;
    let parts = table.headline().into_iter().filter_map(|(row, size)| {
        let figure = size.efficiency? * f64::from(most);
        let saturated = match size.saturated {
            Saturated::Store => " (store saturated)",
            Saturated::Neither => " (nothing saturated)",
            Saturated::Nodes | Saturated::Both => "",
        };
        Some(SchemeText { scheme: &row.scheme, figure, text: format!("{figure:.1} with `{}`{saturated}", row.scheme) })
    });
    let parts: Vec<SchemeText<'_>> = parts.collect();
    (!parts.is_empty()).then(|| {
        format!(
            "Horizontal scaling: {most} nodes sustained this multiple of the rate of one node{}.",
            list_after_colon(record, parts, listed)
        )
    })
}

fn blocks(record: &Record, table: &ScalingTable) -> Vec<Block> {
    let mut blocks = vec![paragraph(format!(
        "Requests per second that several nodes sustain together, each with a CPU quota, over a store whose CPU \
         quota stays the same. {}",
        describe_quotas(table)
    ))];
    blocks.extend(table.no_headline().iter().map(|why| Block::Notice(capitalized(&why.to_string()))));
    blocks.extend(charts(record, table).into_iter().map(Block::Chart));
    blocks.push(Block::Table(capacity_table(record, table)));
    blocks.push(Block::Table(law_table(record, table)));
    blocks.push(Block::Table(usl_table(record, table)));
    blocks.extend(method(method_items(), limitations()));
    blocks
}

fn capitalized(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn describe_quotas(table: &ScalingTable) -> String {
    let Some(QuotaSizes { method, node_share, store_share, balancer, generator_rps, expected_rps }) = &table.cpu_quotas
    else {
        return "The CPU quotas are not known.".to_owned();
    };
    let balancer = balancer.as_ref().map_or_else(String::new, |balancer| {
        let spent = table.balancer_us.map(|us| format!("; it used {} µs of CPU time per request", plain(us)));
        format!(
            " {} distributes the load over the nodes. Its quota is {} % of a CPU{}.",
            balancer.program,
            plain(balancer.share * 100.0),
            spent.unwrap_or_default()
        )
    });
    format!(
        "The quota of a node is {} % of a CPU, that of the store {} % (by {method}). With these quotas, all nodes \
         together sustain at most about {} requests/s, {:.0} % of the {} that the generator can drive.{balancer}",
        plain(node_share * 100.0),
        plain(store_share * 100.0),
        grouped(*expected_rps),
        expected_rps / generator_rps * 100.0,
        grouped(*generator_rps)
    )
}

/// Returns the numbers of nodes of all schemes.
fn sizes(table: &ScalingTable) -> Vec<u32> {
    let mut sizes: Vec<u32> = table.rows.iter().flat_map(|row| &row.sizes).map(|size| size.nodes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn nodes(number: u32) -> String {
    count(number as usize, "node")
}

fn capacity_table(record: &Record, table: &ScalingTable) -> Table {
    let sizes = sizes(table);
    let mut columns = vec![Column::text("Scheme")];
    columns.extend(sizes.iter().map(|&size| Column::figure(nodes(size), "requests/s")));
    columns.push(Column::figure("Most nodes", "requests/s per CPU, including the store"));
    let cells = |row: &ScalingRow| {
        let of = |size: &u32| {
            let found = row.sizes.iter().find(|found| found.nodes == *size);
            found.map_or(Cell::new(NONE), throughput_cell)
        };
        let per_cpu = row.sizes.last().and_then(|size| size.rps_per_cpu);
        let mut cells = vec![name_cell(record, &row.scheme)];
        cells.extend(sizes.iter().map(of));
        cells.push(per_cpu.map_or(Cell::new(NONE), |rps| Cell::new(grouped(rps))));
        cells
    };
    Table {
        caption: "Throughput by number of nodes".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![format!(
            "The median of the rounds; below it, the percentage of linear scaling from one node, and which CPU \
             quotas were saturated: used up in {:.0} % of their periods or more.",
            SATURATED_SHARE * 100.0
        )],
    }
}

fn throughput_cell(size: &ScalingSize) -> Cell {
    let share = size.efficiency.map(|share| format!("{:.0} %, ", share * 100.0)).unwrap_or_default();
    let saturated = match size.saturated {
        Saturated::Nodes => "nodes",
        Saturated::Store => "store",
        Saturated::Both => "both",
        Saturated::Neither => "none",
    };
    let excluded = if size.rounds.excluded > 0 { format!(", {} invalid", size.rounds.excluded) } else { String::new() };
    Cell::new(grouped(size.rps.value)).with_note(format!("{share}{saturated}{excluded}"))
}

fn law_table(record: &Record, table: &ScalingTable) -> Table {
    let unseen: Vec<u32> = sizes(table).into_iter().filter(|size| *size > FIT_NODES).collect();
    let mut columns = vec![
        Column::text("Scheme"),
        Column::figure("One node", "requests/s"),
        Column::figure("Store", "requests/s when saturated"),
        Column::figure("Store", "requests/s, from its CPU time before saturation"),
        Column::figure("Store saturates at", "nodes"),
    ];
    columns.extend(unseen.iter().map(|&size| Column::figure(nodes(size), "requests/s predicted, error in %")));
    columns.push(Column::figure("Twice the nodes", "requests/s"));
    let cells = |row: &ScalingRow| {
        let law = row.law;
        let rps = |value: Option<f64>| value.map_or(Cell::new(NONE), |value| Cell::new(grouped(value)));
        let mut cells = vec![
            name_cell(record, &row.scheme),
            rps(law.map(|law| law.node_rps)),
            rps(row.saturated_store_rps.map(|found| found.value)),
            rps(row.store_by_cpu_rps),
            law.and_then(|law| law.saturation_nodes())
                .map_or(Cell::new(NONE), |saturation_nodes| Cell::new(plain(saturation_nodes))),
        ];
        let of = |size: &u32| row.predictions.iter().find(|each| each.nodes == *size);
        cells.extend(unseen.iter().map(|size| of(size).map_or(Cell::new(NONE), prediction_cell)));
        cells.push(row.extrapolation().map_or(Cell::new("not predicted"), |(nodes, rps)| {
            Cell::new(grouped(rps)).with_note(format!("{nodes} nodes"))
        }));
        cells
    };
    Table {
        caption: "Bottleneck law, fitted on few nodes and tested on more".to_owned(),
        columns,
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![format!(
            "N nodes sustain N times the rate of one node, but at most the capacity of the store: both are measured on at \
             most {FIT_NODES} nodes. The CPU time per request of a store that is not saturated underestimates its \
             capacity: with more load, it handles more requests per wake-up. If an error on other numbers of nodes \
             exceeds {:.0} %, no larger number of nodes is predicted.",
            ERROR_LIMIT * 100.0
        )],
    }
}

fn prediction_cell(prediction: &Prediction) -> Cell {
    Cell::new(grouped(prediction.predicted_rps)).with_note(signed_percent(prediction.error()))
}

fn usl_table(record: &Record, table: &ScalingTable) -> Table {
    let cells = |row: &ScalingRow| {
        let name = name_cell(record, &row.scheme);
        let none = || Cell::new(NONE);
        let Some(UslFit { usl, sigma, kappa, max_error, extrapolation }) = row.usl else {
            return vec![name, none(), none(), none(), none(), Cell::new("too few sizes or blocks")];
        };
        let share = |value: f64| format!("{value:.4}");
        let within =
            |interval: evidence::statistics::Interval| format!("[{}, {}]", share(interval.low), share(interval.high));
        vec![
            name,
            Cell::new(grouped(usl.lambda)),
            Cell::new(share(usl.sigma)).with_note(within(sigma)),
            Cell::new(share(usl.kappa)).with_note(within(kappa)),
            Cell::new(format!("{:.1} %", max_error * 100.0)),
            extrapolation.map_or(Cell::new("not identifiable"), |extrapolation| {
                Cell::new(format!("{} to {}", grouped(extrapolation.low), grouped(extrapolation.high)))
            }),
        ]
    };
    Table {
        caption: "Universal Scalability Law over all numbers of nodes".to_owned(),
        columns: vec![
            Column::text("Scheme"),
            Column::figure("Lambda", "requests/s of one node"),
            Column::figure("Sigma", "contention, 0 to 1"),
            Column::figure("Kappa", "coherency cost"),
            Column::figure("Largest error", "of the measured rates"),
            Column::figure("Twice the nodes", "requests/s, interval"),
        ],
        groups: row_groups(record, table.rows.iter().map(|row| (row.scheme.clone(), cells(row))).collect()),
        footnotes: vec![
            "Brackets hold 95 % bootstrap intervals over blocks. A law that is off by more than 10 % where it was \
             fitted, or whose interval for twice the most nodes spans more than a factor of two, is not \
             identifiable: it predicts nothing."
                .to_owned(),
        ],
    }
}

fn method_items() -> Vec<String> {
    vec![
        "Each block measures every scheme with every number of nodes once, in a new random order, with a saturated \
         closed loop that has the same number of connections to each node."
            .to_owned(),
        "Nodes share their keys and their store. Where a node knows only the sessions that it created itself, each \
         receives its own credentials, as behind a load balancer with sticky sessions."
            .to_owned(),
        "Nodes and stores start and handle one round with unrestricted CPU before anything is recorded. Requests do \
         not extend the idle timeout of a session. Schemes whose servers cache store replies for a limited time \
         handle such a round before each measured one."
            .to_owned(),
        "The capacity of the store is measured once in each block: a few nodes with unrestricted CPU saturate its \
         quota."
            .to_owned(),
    ]
}

fn limitations() -> Vec<String> {
    vec![
        "All nodes run on one machine: they share its caches, and the network between them costs nothing.".to_owned(),
        "A process runs at full speed until its CPU quota is used up and then stalls for some milliseconds. \
         Throughput is correct, but waiting times are not: no latency is reported here. A store may handle a backlog \
         in one batch, at a lower cost than one request at a time."
            .to_owned(),
    ]
}

fn charts(record: &Record, table: &ScalingTable) -> Vec<Chart> {
    let rows: Vec<(&str, &ScalingRow)> =
        table.rows.iter().filter(|row| !row.sizes.is_empty()).map(|row| (row.scheme.as_str(), row)).collect();
    panels(record, &rows).iter().map(|panel| chart(record, panel)).collect()
}

fn chart(record: &Record, panel: &Panel<&ScalingRow>) -> Chart {
    let series: Vec<LineSeries> = panel.items.iter().map(|row| line(record, row)).collect();
    let texts: Vec<String> = panel.items.iter().map(|row| range_text(row)).collect();
    Chart {
        name: format!("scaling{}", panel.suffix()),
        title: format!("Requests per second by number of nodes{}", panel.subtitle()),
        alt: format!("Requests per second by number of nodes{}: {}.", panel.subtitle(), texts.join("; ")),
        width: 860,
        height: 400,
        data: ChartData::Lines {
            x: LineAxis {
                name: format!("nodes · points: measured · lines: bottleneck law fitted on at most {FIT_NODES} nodes"),
                word: "nodes".to_owned(),
                step: 1.0,
            },
            y: LineUnit::Rate,
            series,
        },
    }
}

fn range_text(row: &ScalingRow) -> String {
    let ends = row.sizes.first().zip(row.sizes.last());
    ends.map_or_else(String::new, |(first, last)| {
        format!(
            "{} {} on {}, {} on {}",
            row.scheme,
            grouped(first.rps.value),
            nodes(first.nodes),
            grouped(last.rps.value),
            nodes(last.nodes)
        )
    })
}

fn line(record: &Record, row: &ScalingRow) -> LineSeries {
    let points = row.sizes.iter().map(|size| (f64::from(size.nodes), size.rps.value.round())).collect();
    let most = row.sizes.last().map_or(1, |size| size.nodes);
    let mut law: Vec<(f64, f64)> = Vec::new();
    if let Some(bottleneck) = row.law {
        law.push((0.0, 0.0));
        if let Some(saturation_nodes) =
            bottleneck.saturation_nodes().filter(|saturation_nodes| *saturation_nodes < f64::from(most))
        {
            law.push((saturation_nodes, (saturation_nodes * bottleneck.node_rps).round()));
        }
        law.push((f64::from(most), bottleneck.rps(most).round()));
    }
    let intervals = row.sizes.iter().map(|size| size.rps.interval.as_ref().map(bracket).unwrap_or_default()).collect();
    LineSeries { subject: Subject::of(record, &row.scheme), points, line: law, intervals }
}
