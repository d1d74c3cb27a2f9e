//! The folder of a run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A new folder for a run called so, in the usual place unless another is asked for.
pub(crate) fn create(out: Option<&Path>, suffix: &str) -> anyhow::Result<PathBuf> {
    let utc = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let folder = out.map_or_else(|| Path::new("results/runs").join(format!("{utc}-{suffix}")), Path::to_owned);
    let what = || format!("cannot make the run's folder {}; choose another with --out", folder.display());
    fs::create_dir_all(&folder).with_context(what)?;
    if fs::read_dir(&folder).with_context(what)?.next().is_some() {
        bail!(
            "the folder {} is not empty, and nothing in it will be overwritten; choose another with --out",
            folder.display()
        );
    }
    fs::create_dir(folder.join("logs")).with_context(what)?;
    folder.canonicalize().with_context(what)
}
