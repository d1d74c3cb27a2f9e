//! The `reject` experiment: what refusing garbage costs against accepting.

use engine::record::{Garbage, Level, LoadExperiment, Record, Round};

use crate::OverControl;
use crate::cost::CostRow;
use crate::group::{Group, RoundCounts, groups};
use crate::statistics::Estimate;

/// What refusing costs, by scheme.
#[derive(Clone, Debug)]
pub struct RejectTable {
    /// One a scheme.
    pub rows: Vec<RejectRow>,
}

/// One scheme.
#[derive(Clone, Debug)]
pub struct RejectRow {
    /// The scheme's id.
    pub scheme: String,
    /// What accepting a good request costs.
    pub accepting: Option<CostRow>,
    /// What is refused, in the order of [`Garbage`].
    pub refusals: Vec<Refusal>,
}

/// What refusing one kind of garbage costs.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What is wrong with the requests.
    pub garbage: Garbage,
    /// The status they have to be answered with.
    pub status: u16,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// CPU time of server and store a refusal, in microseconds; none where a store was not seen, and without a valid round.
    pub total_us: Option<Estimate>,
    /// What it takes more than accepting; none without a valid round of accepting in a block.
    pub over_accepting: Option<OverControl>,
}

impl RejectTable {
    pub(crate) fn of(record: &Record, load: &LoadExperiment) -> Self {
        let groups = groups(record, &load.rounds);
        let mut rows: Vec<RejectRow> = Vec::new();
        for group in &groups {
            if rows.last().is_none_or(|row| row.scheme != group.scheme) {
                let own: Vec<&Group<'_>> = groups.iter().filter(|other| other.scheme == group.scheme).collect();
                rows.push(RejectRow::of(record, group.scheme, &own));
            }
        }
        Self { rows }
    }

    /// Every kind that was tried with any scheme, in their order.
    #[must_use]
    pub fn kinds(&self) -> Vec<Garbage> {
        let mut kinds: Vec<Garbage> =
            self.rows.iter().flat_map(|row| &row.refusals).map(|refusal| refusal.garbage).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

impl RejectRow {
    /// What came of one kind, if it was tried.
    #[must_use]
    pub fn refusal(&self, garbage: Garbage) -> Option<&Refusal> {
        self.refusals.iter().find(|refusal| refusal.garbage == garbage)
    }

    fn of(record: &Record, scheme: &str, groups: &[&Group<'_>]) -> Self {
        let accepting = groups.iter().find(|group| *group.level == Level::Saturated);
        let accepted: Vec<&Round> = accepting.iter().flat_map(|group| group.valid()).collect();
        let refusal = |group: &&Group<'_>| {
            let Level::Refused { garbage } = *group.level else { return None };
            Some(Refusal {
                garbage,
                status: group.rounds.first()?.plan.expected_status,
                rounds: group.count(),
                total_us: CostRow::of(record, group, &[]).total_us,
                over_accepting: OverControl::of(record, group, &accepted),
            })
        };
        Self {
            scheme: scheme.to_owned(),
            accepting: accepting.map(|group| CostRow::of(record, group, &[])),
            refusals: groups.iter().filter_map(refusal).collect(),
        }
    }
}
