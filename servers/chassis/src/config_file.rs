//! The configuration file: TOML with the tables `[server]` and `[auth]`.

use std::fmt::Display;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::module::StartError;
use crate::settings::ServerOptions;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "O: DeserializeOwned + Default")]
struct Tables<O> {
    #[serde(default)]
    server: ServerOptions,
    #[serde(default)]
    auth: O,
}

/// The layer of settings in this file. A key that nobody knows is an error, because a misspelt
/// setting that is silently ignored makes a measurement of something else.
pub(crate) fn read<O: DeserializeOwned + Default>(path: &Path) -> Result<(ServerOptions, O), StartError> {
    let file = path.display();
    let unreadable = |error: &dyn Display| StartError::Usage(format!("--config {file}: cannot read it: {error}"));
    let text = crate::file::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(text).map_err(|error| unreadable(&error))?;
    let tables: Tables<O> = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        StartError::Usage(format!("--config {file}, line {line}: {}", error.message().replace('\n', "; ")))
    })?;
    Ok((tables.server, tables.auth))
}
