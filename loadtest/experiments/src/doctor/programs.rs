//! The external programs, each tested in the way in which `compare` uses it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use contract::{Scheme, StoreKind};
use engine::experiment::Need;
use lab::child::Bounds;
use lab::server::MissingBinary;
use lab::store::{Store, UnusableStore};

use super::finding::Assessment;
use crate::run_context::RunConfig;

/// Starts a private store and stops it again.
pub(super) fn store(config: &RunConfig, kind: StoreKind) -> Assessment {
    let folder = config.scratch.path().join(kind.to_string());
    let log = config.scratch.path().join(format!("{kind}.log"));
    let started = Store::start(kind, &folder, &log, &Bounds::on(&config.placement.store_cpus));
    assess_store(kind, started.map(|store| store.software().1.to_owned()))
}

fn assess_store(kind: StoreKind, version: Result<String, UnusableStore>) -> Assessment {
    let schemes: Vec<Scheme> = Scheme::all().filter(|scheme| scheme.store() == kind).collect();
    match version {
        Ok(version) => {
            let observation = format!("{version} starts and responds");
            Assessment::good(observation, format!("{} schemes that use it can be measured", schemes.len()))
        }
        Err(error) if error.is_missing() => {
            let effect = format!("{} are left out", join_ids(&schemes));
            Assessment::missing("not installed", effect, install_hint(kind)).without(schemes)
        }
        Err(error) => {
            let effect = format!("`compare` fails with this error if it is to measure one of {}", join_ids(&schemes));
            let advice = "fix the reported error, or leave these schemes out (`--schemes`)";
            Assessment::missing(format!("does not start: {error}"), effect, advice).without(schemes)
        }
    }
}

fn install_hint(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Redis => "`apt-get install redis-server`, or use a running Redis (`compare --redis-url`)",
        StoreKind::RedisCluster => "`apt-get install redis-server`",
        StoreKind::Postgres => "`apt-get install postgresql`",
        StoreKind::None | StoreKind::Memory => "nothing: no program is needed",
    }
}

fn join_ids(schemes: &[Scheme]) -> String {
    schemes.iter().map(|scheme| scheme.id()).collect::<Vec<_>>().join(", ")
}

pub(super) fn haproxy(version: Option<String>) -> Assessment {
    match version {
        Some(version) => Assessment::good(version, "`scaling` can balance its load with it (`--balancer haproxy`)"),
        None => Assessment::missing(
            "not found in PATH",
            "`--balancer haproxy` is not available; by default the generator distributes the load over the nodes of `scaling`",
            "`apt-get install haproxy`; it installs into /usr/sbin, which must be in PATH",
        ),
    }
}

pub(super) fn valgrind(version: Option<String>) -> Assessment {
    match version {
        Some(version) => Assessment::good(version, "`counters` can count the instructions of a request"),
        None => Assessment::missing("not found in PATH", "`counters` is left out", "`apt-get install valgrind`"),
    }
    .of(Need::Valgrind)
}

/// Checks whether the server binary of every scheme exists.
pub(super) fn server_binaries(locate: impl Fn(&str) -> Result<PathBuf, MissingBinary>) -> Assessment {
    let binaries: BTreeSet<&str> = Scheme::all().map(Scheme::binary).collect();
    let located: Vec<(&str, Result<PathBuf, MissingBinary>)> =
        binaries.iter().map(|name| (*name, locate(name))).collect();
    let Some((_, Err(MissingBinary { folders, .. }))) = located.iter().find(|(_, result)| result.is_err()) else {
        let names = binaries.iter().copied().collect::<Vec<_>>().join(", ");
        return Assessment::good(names, "the server of every scheme can be started");
    };
    let absent: Vec<&str> = located.iter().filter(|(_, result)| result.is_err()).map(|(name, _)| *name).collect();
    let schemes: Vec<Scheme> = Scheme::all().filter(|scheme| absent.contains(&scheme.binary())).collect();
    let without_control = schemes.iter().any(|scheme| scheme.is_control());
    let effect = if without_control {
        "without the control no scheme can be compared, and the generator cannot be tested".to_owned()
    } else {
        format!("{} cannot be measured", join_ids(&schemes))
    };
    let assessment = Assessment::missing(
        format!("{} not found in {folders}", absent.join(", ")),
        effect,
        format!(
            "`cargo build --release --workspace --bins` (scripts/compare.sh runs it), or set {} to the folder with the binaries",
            lab::server::BIN_DIR
        ),
    )
    .without(schemes);
    if without_control { assessment.of_all() } else { assessment }
}

#[cfg(test)]
mod tests {
    use engine::Experiment;
    use lab::postgres::PostgresError;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn store_that_is_not_installed_excludes_its_schemes() {
        let none = assess_store(StoreKind::Postgres, Err(PostgresError::Missing.into()));
        assert_eq!((none.state, none.excluded_schemes.len()), (State::Missing, 1));
        assert!(none.advice.unwrap().contains("apt-get install postgresql"));
        let broken = assess_store(StoreKind::Postgres, Err(PostgresError::NoAccount.into()));
        assert!(broken.observation.contains("does not run as root"), "{broken:?}");
        assert_eq!(assess_store(StoreKind::Redis, Ok("7.0.15".to_owned())).observation, "7.0.15 starts and responds");
    }

    #[test]
    fn missing_server_binary_excludes_its_schemes() {
        let without = |absent: &'static str| {
            server_binaries(move |name| {
                let missing = MissingBinary { name: name.to_owned(), folders: "/bin".to_owned() };
                if name == absent { Err(missing) } else { Ok(name.into()) }
            })
        };
        assert_eq!(without("nothing").state, State::Good);
        let hybrid = without("edge-server");
        let join_ids = join_ids(&hybrid.excluded_schemes);
        assert_eq!((hybrid.observation.as_str(), join_ids.as_str()), ("edge-server not found in /bin", "hybrid"));
        assert!(hybrid.experiments.is_empty(), "the others can be compared");
        let nothing = without("anonymous-server").experiments;
        assert!(nothing.into_iter().eq(Experiment::all()), "every experiment needs the control");
    }
}
