//! The summary in sentences. Schemes are in the order of the record, not ranked.

use contract::{RevocationClass, SchemeDescriptor};
use engine::Experiment;
use engine::record::Record;

use crate::chart::COLORS;
use crate::figure::{count, duration, listed};
use crate::sections::parts::Show;

/// Returns one or two sentences per measured experiment.
pub(super) fn all(record: &Record, tables: &[(Experiment, &dyn Show)]) -> Vec<String> {
    let compared = !matches!(record.run.command.as_str(), "load" | "gate");
    let texts = tables.iter().filter_map(|(_, table)| table.sentence(record));
    let sentences: Vec<String> = texts.chain(revocation_classes(record).filter(|_| compared)).collect();
    if sentences.is_empty() { vec!["Nothing was measured.".to_owned()] } else { sentences }
}

fn revocation_classes(record: &Record) -> Option<String> {
    let mut kinds: Vec<(String, Vec<String>)> = Vec::new();
    for described in &record.schemes {
        let Some(what) = revocation_behaviour(described) else { continue };
        let scheme = format!("`{}`", described.scheme);
        match kinds.iter_mut().find(|(known, _)| *known == what) {
            Some((_, schemes)) => schemes.push(scheme),
            None => kinds.push((what, vec![scheme])),
        }
    }
    let many = kinds.iter().map(|(_, schemes)| schemes.len()).sum::<usize>() > COLORS;
    let with = |schemes: &[String]| if many { count(schemes.len(), "scheme") } else { listed(schemes) };
    let texts: Vec<String> =
        kinds.into_iter().map(|(what, schemes)| format!("{what} with {}", with(&schemes))).collect();
    (!texts.is_empty()).then(|| {
        format!(
            "Revocation classes: a revoked credential is {}. Compare costs only within a revocation class.",
            texts.join("; it is ")
        )
    })
}

fn revocation_behaviour(described: &SchemeDescriptor) -> Option<String> {
    let bound = described.revocation_window_s.map(|seconds| format!(", at most {}", duration(seconds)));
    let bound = bound.unwrap_or_default();
    Some(match described.revocation_class? {
        RevocationClass::Immediate => "rejected at once".to_owned(),
        RevocationClass::Propagation => format!("accepted until a push has arrived{bound},"),
        RevocationClass::Ttl => format!("accepted until a cached result or short-lived token expires{bound},"),
        RevocationClass::Expiry => format!("accepted until it expires{bound},"),
    })
}
