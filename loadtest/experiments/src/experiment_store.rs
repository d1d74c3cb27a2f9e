//! A store for a single experiment.

use contract::StoreKind;
use lab::child::Bounds;
use lab::store::Store;

use crate::run_context::{ExperimentError, RunContext};

/// A store that contains only the data of the experiment.
pub(crate) enum ExperimentStore<'a> {
    /// The scheme uses no store outside the server.
    None,
    /// A new one.
    Private(Box<Store>),
    /// The external one, without the keys of this run.
    External(&'a Store),
}

impl<'a> ExperimentStore<'a> {
    /// Returns a new private store within these bounds, or the external one without the keys of this run.
    pub(crate) fn start_empty(
        context: &RunContext<'a>,
        kind: StoreKind,
        experiment: &str,
        bounds: &Bounds,
    ) -> Result<Self, ExperimentError> {
        let config = context.config;
        match config.stores.get(&kind) {
            None if kind.is_external() => Err(ExperimentError::NoStore(kind)),
            None => Ok(Self::None),
            Some(external) if !external.is_private() => {
                external.clear()?;
                Ok(Self::External(external))
            }
            Some(_) => Self::start_private(context, kind, experiment, bounds),
        }
    }

    /// Returns a new private store within these bounds, if the kind is outside the server.
    pub(crate) fn start_private(
        context: &RunContext<'a>,
        kind: StoreKind,
        experiment: &str,
        bounds: &Bounds,
    ) -> Result<Self, ExperimentError> {
        if !kind.is_external() {
            return Ok(Self::None);
        }
        let log = context.log(&format!("{kind}-{experiment}"));
        let folder = tempfile::tempdir_in(context.config.scratch.path());
        let folder = folder.map_err(|source| ExperimentError::Folder { source })?.keep();
        Ok(Self::Private(Box::new(Store::start(kind, &folder, &log, bounds)?)))
    }

    pub(crate) fn store(&self) -> Option<&Store> {
        match self {
            Self::None => None,
            Self::Private(store) => Some(store),
            Self::External(store) => Some(store),
        }
    }
}
