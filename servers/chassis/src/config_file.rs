//! The configuration file: TOML with the tables `[server]` and `[auth]`.

use std::fmt::Display;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::module::StartError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "S: DeserializeOwned + Default, A: DeserializeOwned + Default")]
struct Tables<S, A> {
    #[serde(default)]
    server: S,
    #[serde(default)]
    auth: A,
}

/// Returns the two tables of this file. An unknown key is an error, because a misspelt
/// setting that is silently ignored makes a measurement of something else.
pub(crate) fn read<S, A>(path: &Path) -> Result<(S, A), StartError>
where
    S: DeserializeOwned + Default,
    A: DeserializeOwned + Default,
{
    let file = path.display();
    let unreadable = |error: &dyn Display| StartError::Usage(format!("--config {file}: cannot read it: {error}"));
    let text = crate::file::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(text).map_err(|error| unreadable(&error))?;
    let tables: Tables<S, A> = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        StartError::Usage(format!("--config {file}, line {line}: {}", error.message().replace('\n', "; ")))
    })?;
    Ok((tables.server, tables.auth))
}
