//! The programs that take part besides authbench, tried as `compare` uses them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use contract::{Scheme, StoreKind};
use lab::child::Bounds;
use lab::server::MissingBinary;
use lab::store::{Store, UnusableStore};

use super::finding::Judgement;
use crate::bench::Setting;

/// Starts a private one and stops it again.
pub(super) fn store(setting: &Setting, kind: StoreKind) -> Judgement {
    let folder = setting.scratch.path().join(kind.to_string());
    let log = setting.scratch.path().join(format!("{kind}.log"));
    let started = Store::start(kind, &folder, &log, &Bounds::on(&setting.placement.store_cpus));
    judge_store(kind, started.map(|store| store.software().1.to_owned()))
}

fn judge_store(kind: StoreKind, version: Result<String, UnusableStore>) -> Judgement {
    let schemes: Vec<Scheme> = Scheme::all().filter(|scheme| scheme.store() == kind).collect();
    match version {
        Ok(version) => {
            let found = format!("{version} starts and answers");
            Judgement::good(found, format!("{} schemes over it can be measured", schemes.len()))
        }
        Err(error) if error.is_missing() => {
            let means = format!("{} are left out", listed(&schemes));
            Judgement::missing("not installed", means, install(kind)).without(schemes)
        }
        Err(error) => {
            let means = format!("`compare` ends with this where one of {} is asked for", listed(&schemes));
            let advice = "mend what it complains of, or leave these schemes out (`--schemes`)";
            Judgement::missing(format!("it does not start: {error}"), means, advice).without(schemes)
        }
    }
}

fn install(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Redis => "`apt-get install redis-server`, or name a running one (`compare --redis-url`)",
        StoreKind::RedisCluster => "`apt-get install redis-server`",
        StoreKind::Postgres => "`apt-get install postgresql`",
        StoreKind::None | StoreKind::Memory => "nothing: it needs no program",
    }
}

fn listed(schemes: &[Scheme]) -> String {
    schemes.iter().map(|scheme| scheme.id()).collect::<Vec<_>>().join(", ")
}

pub(super) fn haproxy(version: Option<String>) -> Judgement {
    match version {
        Some(version) => Judgement::good(version, "`scaling` can put its nodes behind it (`--balancer haproxy`)"),
        None => Judgement::missing(
            "not in PATH",
            "`--balancer haproxy` is refused; without it the generator spreads the load over the nodes of `scaling` by itself",
            "`apt-get install haproxy`; it lies in /usr/sbin, which PATH has to name",
        ),
    }
}

/// Looks for the binary of every scheme.
pub(super) fn server_binaries(locate: impl Fn(&str) -> Result<PathBuf, MissingBinary>) -> Judgement {
    let wanted: BTreeSet<&str> = Scheme::all().map(Scheme::binary).collect();
    let looked: Vec<(&str, Result<PathBuf, MissingBinary>)> = wanted.iter().map(|name| (*name, locate(name))).collect();
    let Some((_, Err(MissingBinary { folders, .. }))) = looked.iter().find(|(_, found)| found.is_err()) else {
        let names = wanted.iter().copied().collect::<Vec<_>>().join(", ");
        return Judgement::good(names, "every scheme's server can be started");
    };
    let absent: Vec<&str> = looked.iter().filter(|(_, found)| found.is_err()).map(|(name, _)| *name).collect();
    let schemes: Vec<Scheme> = Scheme::all().filter(|scheme| absent.contains(&scheme.binary())).collect();
    let without_control = schemes.iter().any(|scheme| scheme.is_control());
    let means = if without_control {
        "without the control nothing can be compared, and the generator cannot be tried".to_owned()
    } else {
        format!("{} cannot be measured", listed(&schemes))
    };
    let judgement = Judgement::missing(
        format!("{} not in {folders}", absent.join(", ")),
        means,
        format!(
            "`cargo build --release --workspace --bins` (scripts/compare.sh does), or set {} to the folder they are in",
            lab::server::BIN_DIR
        ),
    )
    .without(schemes);
    if without_control { judgement.of_all() } else { judgement }
}

#[cfg(test)]
mod tests {
    use engine::Experiment;
    use lab::postgres::PostgresError;

    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_store_that_is_not_installed_leaves_its_schemes_out() {
        let none = judge_store(StoreKind::Postgres, Err(PostgresError::Missing.into()));
        assert_eq!((none.state, none.left_out.len()), (State::Missing, 1));
        assert!(none.advice.unwrap().contains("apt-get install postgresql"));
        let broken = judge_store(StoreKind::Postgres, Err(PostgresError::NoAccount.into()));
        assert!(broken.found.contains("refuses to run as root"), "{broken:?}");
        assert_eq!(judge_store(StoreKind::Redis, Ok("7.0.15".to_owned())).found, "7.0.15 starts and answers");
    }

    #[test]
    fn a_server_that_was_not_built_takes_its_schemes_along() {
        let without = |absent: &'static str| {
            server_binaries(move |name| {
                let missing = MissingBinary { name: name.to_owned(), folders: "/bin".to_owned() };
                if name == absent { Err(missing) } else { Ok(name.into()) }
            })
        };
        assert_eq!(without("nothing").state, State::Good);
        let hybrid = without("edge-server");
        assert_eq!((hybrid.found.as_str(), listed(&hybrid.left_out)), ("edge-server not in /bin", "hybrid".to_owned()));
        assert!(hybrid.experiments.is_empty(), "the others can be compared");
        let nothing = without("anonymous-server").experiments;
        assert!(nothing.into_iter().eq(Experiment::all()), "nothing is left without the control");
    }
}
