//! The configuration file: TOML with the tables `[server]` and `[auth]`, whose keys are the names of flags.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use toml::{Spanned, Value};

use crate::module::StartError;

/// One key of the file, and where it is.
pub(crate) struct Setting {
    pub(crate) table: String,
    pub(crate) key: String,
    /// As text, as a flag would have it.
    pub(crate) value: String,
    place: String,
}

impl Setting {
    /// Returns the error in this setting, with its place.
    pub(crate) fn invalid(&self, why: impl Display) -> StartError {
        StartError::Usage(format!("{}: {why}", self.place))
    }
}

/// By table and key, with the places of both.
type Tables = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Value>>>;

/// Returns the settings in this file.
pub(crate) fn read(path: &Path) -> Result<Vec<Setting>, StartError> {
    let file = path.display();
    let unreadable = |error: &dyn Display| StartError::Usage(format!("--config {file}: cannot read it: {error}"));
    let text = crate::file::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(text).map_err(|error| unreadable(&error))?;
    let place = |start: usize| format!("--config {file}, line {}", text[..start].matches('\n').count() + 1);
    let tables: Tables = toml::from_str(&text).map_err(|error| {
        let place = place(error.span().map_or(0, |span| span.start));
        StartError::Usage(format!("{place}: {}", error.message().replace('\n', "; ")))
    })?;
    let mut settings = vec![];
    for (table, keys) in tables {
        if !["server", "auth"].contains(&table.get_ref().as_str()) {
            let place = place(table.span().start);
            return Err(StartError::Usage(format!(
                "{place}: unknown table `{}`; expected `server` or `auth`",
                table.get_ref()
            )));
        }
        for (key, value) in keys {
            let place = place(key.span().start);
            let text = match value.into_inner() {
                Value::String(text) => text,
                number_or_bool @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) => {
                    number_or_bool.to_string()
                }
                other => {
                    let kind = other.type_str();
                    return Err(StartError::Usage(format!(
                        "{place}: `{}` is a TOML {kind}, not one value",
                        key.get_ref()
                    )));
                }
            };
            settings.push(Setting { table: table.get_ref().clone(), key: key.into_inner(), value: text, place });
        }
    }
    Ok(settings)
}
