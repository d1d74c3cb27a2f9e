//! Grouping for many schemes: one chart of lines per revocation class, and sentences with the range
//! of each class.

use contract::RevocationClass;
use engine::record::Record;
use evidence::is_control;

use super::scheme::{by_class, described};
use crate::chart::COLORS;
use crate::figure::{count, listed};

/// The content of one chart.
pub(super) struct Panel<T> {
    class: Option<RevocationClass>,
    pub(super) things: Vec<T>,
}

impl<T> Panel<T> {
    /// Returns the suffix that distinguishes its file name.
    pub(super) fn suffix(&self) -> String {
        self.class.map(|class| format!("-{class}")).unwrap_or_default()
    }

    /// Returns the suffix that distinguishes its title.
    pub(super) fn subtitle(&self) -> String {
        self.class.map(|class| format!(", revocation class {class}")).unwrap_or_default()
    }
}

/// Returns one panel for all schemes; with more schemes than colours, one panel per class.
///
/// The control is in each panel. Within a panel no two schemes share a colour.
pub(super) fn panels<T: Copy>(record: &Record, things: &[(&str, T)]) -> Vec<Panel<T>> {
    let all = || things.iter().map(|(_, thing)| *thing);
    if things.iter().filter(|(scheme, _)| !is_control(scheme)).count() <= COLORS {
        return if things.is_empty() { vec![] } else { vec![Panel { class: None, things: all().collect() }] };
    }
    let class_of = |scheme: &str| described(record, scheme).and_then(|described| described.revocation_class);
    let panel = |class: Option<RevocationClass>| {
        let own = |scheme: &str| is_control(scheme) || class_of(scheme) == class;
        let things: Vec<T> = things.iter().filter(|(scheme, _)| own(scheme)).map(|(_, thing)| *thing).collect();
        Panel { class, things }
    };
    let held = |class: &Option<RevocationClass>| {
        things.iter().any(|(scheme, _)| !is_control(scheme) && class_of(scheme) == *class)
    };
    CLASSES.into_iter().filter(held).map(panel).collect()
}

/// From the strictest to the most lenient, and no class.
const CLASSES: [Option<RevocationClass>; 5] = [
    Some(RevocationClass::Immediate),
    Some(RevocationClass::Propagation),
    Some(RevocationClass::Ttl),
    Some(RevocationClass::Expiry),
    None,
];

/// A text about a scheme, and the figure that orders it.
pub(super) struct Said<'record> {
    pub(super) scheme: &'record str,
    pub(super) figure: f64,
    pub(super) text: String,
}

/// Joins the texts by `list`, to follow a verb; with more schemes than colours, the range of each
/// class.
pub(super) fn told(record: &Record, said: Vec<Said<'_>>, list: impl Fn(&[String]) -> String) -> String {
    if said.len() <= COLORS {
        return format!(" {}", list(&said.into_iter().map(|each| each.text).collect::<Vec<_>>()));
    }
    let of_schemes = said.into_iter().map(|each| (each.scheme.to_owned(), each)).collect();
    let classes = by_class(record, of_schemes).into_iter().map(|(title, mut class)| {
        class.sort_by(|one, other| one.figure.total_cmp(&other.figure));
        let name = title.split(':').next().unwrap_or_default().to_lowercase();
        match class.as_slice() {
            [least, .., most] => {
                format!("{name} ({}) {} to {}", count(class.len(), "scheme"), least.text, most.text)
            }
            _ => format!("{name} {}", class.iter().map(|each| each.text.as_str()).collect::<String>()),
        }
    });
    format!(": per revocation class, from lowest to highest, {}", classes.collect::<Vec<_>>().join("; "))
}

/// Does the same with a colon, to follow a whole sentence.
pub(super) fn told_of_each(record: &Record, said: Vec<Said<'_>>, list: impl Fn(&[String]) -> String) -> String {
    let told = told(record, said, list);
    if told.starts_with(':') { told } else { format!(":{told}") }
}

/// Returns the names of the schemes, or their number if there are many.
pub(super) fn named(schemes: &[String]) -> String {
    if schemes.len() > COLORS { count(schemes.len(), "scheme") } else { listed(schemes) }
}
