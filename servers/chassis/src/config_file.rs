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
    let invalid = |start: usize, why: &str| StartError::Usage(format!("{}: {why}", place(start)));
    let tables: Tables = toml::from_str(&text)
        .map_err(|error| invalid(error.span().map_or(0, |span| span.start), &error.message().replace('\n', "; ")))?;
    let mut settings = vec![];
    for (table, keys) in tables {
        let start = table.span().start;
        let table = table.into_inner();
        if !["server", "auth"].contains(&table.as_str()) {
            return Err(invalid(start, &format!("unknown table `{table}`; expected `server` or `auth`")));
        }
        for (key, value) in keys {
            let start = key.span().start;
            let key = key.into_inner();
            let Some(value) = flag_value(value.into_inner()) else {
                return Err(invalid(start, &format!("`{key}` must be a string, a number, true or false")));
            };
            settings.push(Setting { table: table.clone(), key, value, place: place(start) });
        }
    }
    Ok(settings)
}

/// Returns a value as a flag has it; none for what a flag cannot have.
fn flag_value(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(value.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
