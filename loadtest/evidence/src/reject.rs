//! The `reject` experiment: the cost of rejecting invalid requests compared with accepting valid
//! ones.

use engine::record::{InvalidCredential, Record, RejectExperiment, Round, RoundAt, SentCredential};

use crate::cost::CostRow;
use crate::group::{Group, RoundCounts, groups, without_factor};
use crate::level::Factor;
use crate::statistics::Estimate;
use crate::{Analyse, EvidenceError, OverControl, Warning, warnings};

/// The cost of rejecting, by scheme.
#[derive(Clone, Debug)]
pub struct RejectTable {
    /// One row per scheme.
    pub rows: Vec<RejectRow>,
}

/// One scheme.
#[derive(Clone, Debug)]
pub struct RejectRow {
    /// The scheme's id.
    pub scheme: String,
    /// The cost of accepting a valid request.
    pub accepting: Option<CostRow>,
    /// Rejected requests, in the order of [`InvalidCredential`].
    pub rejections: Vec<Rejection>,
}

/// The cost of rejecting one kind of invalid request.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The defect of the requests.
    pub invalid: InvalidCredential,
    /// The expected status.
    pub status: u16,
    /// The rounds behind the figures.
    pub rounds: RoundCounts,
    /// CPU time of server and store per rejection, in microseconds; none without a valid round, or
    /// if a store was not observed.
    pub total_us: Option<Estimate>,
    /// The difference to accepting; none without a valid round of accepting in the same block.
    pub over_accepting: Option<OverControl>,
}

/// The rounds of one scheme with one kind of requests.
type SentGroup<'record> = Group<'record, RoundAt<SentCredential>>;

impl Factor for SentCredential {
    fn description(&self) -> String {
        self.invalid.map(|invalid| format!("with {invalid}")).unwrap_or_default()
    }

    fn slug(&self) -> String {
        self.invalid.map(|invalid| invalid.to_string().to_lowercase().replace(' ', "-")).unwrap_or_default()
    }

    fn sort_key(&self) -> f64 {
        self.invalid.map_or(0.0, |invalid| f64::from(invalid as u8) + 1.0)
    }
}

impl Analyse for RejectExperiment {
    type Table = RejectTable;

    fn analyse(&self, record: &Record) -> Result<Option<RejectTable>, EvidenceError> {
        Ok(Some(RejectTable::of(record, self)))
    }

    fn warnings(&self, record: &Record, _: Option<&RejectTable>) -> Vec<Warning> {
        warnings::for_groups(Self::EXPERIMENT, &self.groups(record))
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        without_factor(&groups(record, &self.rounds))
    }
}

impl RejectTable {
    fn of(record: &Record, reject: &RejectExperiment) -> Self {
        let groups = groups(record, &reject.rounds);
        let mut rows: Vec<RejectRow> = Vec::new();
        for group in &groups {
            if rows.last().is_none_or(|row| row.scheme != group.scheme) {
                let of_scheme: Vec<&SentGroup<'_>> =
                    groups.iter().filter(|other| other.scheme == group.scheme).collect();
                rows.push(RejectRow::of(record, group.scheme, &of_scheme));
            }
        }
        Self { rows }
    }

    /// Returns every kind that was measured with any scheme, in their order.
    #[must_use]
    pub fn kinds(&self) -> Vec<InvalidCredential> {
        let mut kinds: Vec<InvalidCredential> =
            self.rows.iter().flat_map(|row| &row.rejections).map(|rejection| rejection.invalid).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

impl RejectRow {
    /// Returns the result for one kind, if it was measured.
    #[must_use]
    pub fn rejection(&self, invalid: InvalidCredential) -> Option<&Rejection> {
        self.rejections.iter().find(|rejection| rejection.invalid == invalid)
    }

    fn of(record: &Record, scheme: &str, groups: &[&SentGroup<'_>]) -> Self {
        let accepting = groups.iter().find(|group| group.at().invalid.is_none());
        let accepted: Vec<&Round> = accepting.iter().flat_map(|group| group.valid()).collect();
        let rejection = |group: &&SentGroup<'_>| {
            Some(Rejection {
                invalid: group.at().invalid?,
                status: group.rounds.first()?.round.plan.expected_status,
                rounds: group.count(),
                total_us: CostRow::of(record, group, &[]).total_us,
                over_accepting: OverControl::of(record, group, &accepted),
            })
        };
        Self {
            scheme: scheme.to_owned(),
            accepting: accepting.map(|group| CostRow::of(record, group, &[])),
            rejections: groups.iter().filter_map(rejection).collect(),
        }
    }
}
