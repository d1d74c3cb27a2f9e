//! Every plan in the docs, on every scheme and with both carriers: users must be able to copy them unchanged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use contract::{Algorithm, Carrier, Scheme, StoreKind, route};
use engine::plan::{Mix, Plan};
use lab::child::Bounds;
use lab::http::DEADLINE;
use lab::server::{Server, ServerSpec};
use lab::store::Store;

use crate::support::{TestDir, exclusive, fast_password_hashing, json, load, runs_full_tests, start};

/// Fewer than the plans' population.
const USERS: u32 = 50;
/// Loads at a time: the figures of these loads do not matter.
const CONCURRENT_LOADS: usize = 3;

/// Returns the TOML blocks of README and docs that are plans.
fn documented_plans() -> Vec<(String, Plan)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![root.join("README.md")];
    collect_markdown(&root.join("docs"), &mut files);
    let mut plans = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for block in blocks.filter(|block| block.contains("arrivals")) {
            let name = file.display().to_string();
            plans.push((block.to_owned(), Plan::parse(block, &name).unwrap()));
        }
    }
    plans
}

fn collect_markdown(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect_markdown(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// Returns the same plan, short, and over few connections, so that each user completes a journey.
fn shorten_plan(block: &str) -> String {
    let set = |line: &str| match line.split_once('=').map(|(name, _)| name.trim()) {
        Some("duration_s") => "duration_s = 0.5".to_owned(),
        Some("interval_s") => "interval_s = 0.1".to_owned(),
        Some("connections") => "connections = 2".to_owned(),
        // An overloaded debug build may reject requests.
        Some("arrivals") if line.contains(r#"kind = "poisson""#) => {
            r#"arrivals = { kind = "poisson", rate_rps = 100.0 }"#.to_owned()
        }
        _ => line.to_owned(),
    };
    block.lines().map(set).collect::<Vec<_>>().join("\n")
}

/// Returns one scheme of every kind of credential and store; with `FULL_TESTS` every scheme.
fn schemes() -> impl Iterator<Item = Scheme> {
    Scheme::all().filter(|scheme| {
        runs_full_tests() || scheme.kind().algorithm().is_none_or(|algorithm| algorithm == Algorithm::Hs256)
    })
}

/// Both carriers of each scheme with `FULL_TESTS`, otherwise alternately one of them.
fn cases() -> Vec<(Scheme, Carrier)> {
    let both = [Carrier::Bearer, Carrier::Cookie];
    let carriers = |index: usize| if runs_full_tests() { both.to_vec() } else { vec![both[index % 2]] };
    schemes().enumerate().flat_map(|(index, scheme)| carriers(index).into_iter().map(move |it| (scheme, it))).collect()
}

#[test]
fn every_documented_plan_runs_on_every_scheme_without_failures() {
    let _lock = exclusive();
    let plans = documented_plans();
    assert!(plans.iter().any(|(_, plan)| matches!(plan.mix, Mix::Journey { .. })), "the docs have no journey");
    let dir = TestDir::new();
    let stores: BTreeMap<StoreKind, Store> = [StoreKind::Redis, StoreKind::RedisCluster, StoreKind::Postgres]
        .map(|kind| {
            let name = format!("{kind:?}");
            let log = dir.path().join(format!("{name}.log"));
            (kind, Store::start(kind, &dir.path().join(name), &log, &Bounds::default()).unwrap())
        })
        .into();
    let queue: Mutex<Vec<_>> = Mutex::new(cases());
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT_LOADS {
            scope.spawn(|| {
                while let Some((scheme, carrier)) = { queue.lock().unwrap().pop() } {
                    let dir = TestDir::new();
                    let server = server(scheme, carrier, stores.get(&scheme.store()), &dir);
                    for (block, plan) in &plans {
                        run_plan(block, plan, &server, &format!("{scheme}, {carrier}"));
                    }
                }
            });
        }
    });
}

fn server(scheme: Scheme, carrier: Carrier, store: Option<&Store>, dir: &TestDir) -> Server {
    let spec = ServerSpec {
        carrier,
        store_url: store.map(Store::url),
        key_prefix: format!("{scheme}-{carrier}:"),
        users: USERS,
        settings: fast_password_hashing(),
        ..ServerSpec::new(scheme, dir.path().join("server.log"))
    };
    Server::start(&spec).unwrap()
}

fn run_plan(block: &str, plan: &Plan, server: &Server, what: &str) {
    let dir = TestDir::new();
    let file = dir.file("plan.toml", &shorten_plan(block));
    let output = start(load(&dir, &server.base_url(), &["--plan", file.to_str().unwrap()])).wait_with_output().unwrap();
    let result = json(&output);
    let record = std::fs::read_to_string(dir.run().join("record.json")).unwrap();
    assert_eq!(result["errors"], 0, "{what}: {result}\n{record}");
    if matches!(plan.mix, Mix::Journey { .. }) {
        let metrics = server.client().get(route::METRICS, &BTreeMap::new(), DEADLINE).unwrap();
        let metrics = String::from_utf8(metrics.body).unwrap();
        for step in [route::LOGIN, route::ME, route::REFRESH, route::LOGOUT] {
            let counted = format!(r#"route="{step}""#);
            let served = metrics.lines().any(|line| line.contains(&counted) && line.contains(r#"status="2"#));
            assert!(served, "{what}: no {step} among\n{metrics}");
        }
    }
}
