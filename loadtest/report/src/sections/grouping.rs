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
    pub(super) items: Vec<T>,
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
pub(super) fn panels<T: Copy>(record: &Record, items: &[(&str, T)]) -> Vec<Panel<T>> {
    let all = || items.iter().map(|(_, item)| *item);
    if items.iter().filter(|(scheme, _)| !is_control(scheme)).count() <= COLORS {
        return if items.is_empty() { vec![] } else { vec![Panel { class: None, items: all().collect() }] };
    }
    let class_of = |scheme: &str| described(record, scheme).and_then(|described| described.revocation_class);
    let panel = |class: Option<RevocationClass>| {
        let is_in_panel = |scheme: &str| is_control(scheme) || class_of(scheme) == class;
        let items: Vec<T> = items.iter().filter(|(scheme, _)| is_in_panel(scheme)).map(|(_, item)| *item).collect();
        Panel { class, items }
    };
    let has_scheme = |class: &Option<RevocationClass>| {
        items.iter().any(|(scheme, _)| !is_control(scheme) && class_of(scheme) == *class)
    };
    CLASSES.into_iter().filter(has_scheme).map(panel).collect()
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
pub(super) struct SchemeText<'record> {
    pub(super) scheme: &'record str,
    pub(super) figure: f64,
    pub(super) text: String,
}

/// Joins the texts by `list`, to follow a verb; with more schemes than colours, the range of each
/// class.
pub(super) fn list_schemes(record: &Record, texts: Vec<SchemeText<'_>>, list: impl Fn(&[String]) -> String) -> String {
    if texts.len() <= COLORS {
        return format!(" {}", list(&texts.into_iter().map(|each| each.text).collect::<Vec<_>>()));
    }
    let of_schemes = texts.into_iter().map(|each| (each.scheme.to_owned(), each)).collect();
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
pub(super) fn list_after_colon(
    record: &Record,
    texts: Vec<SchemeText<'_>>,
    list: impl Fn(&[String]) -> String,
) -> String {
    let list = list_schemes(record, texts, list);
    if list.starts_with(':') { list } else { format!(":{list}") }
}

/// Returns the names of the schemes, or their number if there are many.
pub(super) fn names_or_count(schemes: &[String]) -> String {
    if schemes.len() > COLORS { count(schemes.len(), "scheme") } else { listed(schemes) }
}
