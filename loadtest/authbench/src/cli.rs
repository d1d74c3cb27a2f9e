//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use contract::scheme::UnknownName;
use contract::{BaseUrl, BaseUrlError, Carrier, Scheme};
use engine::Experiment;
use engine::experiment::UnknownExperiment;
use engine::slo::Objective;
use experiments::Balancer;
use experiments::profile::Profile;

/// Settles "sessions or JWT?" with evidence: measures the cost of server-side sessions and of JWTs, and
/// reports when its figures cannot be trusted.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  success
   1  the tool failed, was interrupted, or could not write its result
   2  usage error: an invalid flag, plan or record
  10  a check of `conform` failed, no rate meets --slo, a server violated its revocation
      guarantee, or the head of `gate` does more work than the base
  11  the measurement of `gate` is too imprecise for a verdict
  12  the measurement was recorded, but failed its own validity checks, or the rate found is not
      confirmed
  13  the runs given to `gate` were made on hosts that cannot be compared
Results go to stdout, progress and errors to stderr.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare schemes on this machine and write a report.
    Compare(Compare),
    /// Load one server at a fixed rate or with a fixed number of users, or find the highest rate that it sustains.
    Load(Load),
    /// Fail if a new version of the servers does more work per request than the old one.
    Gate(Gate),
    /// Rebuild every report of a run from its record.
    Report(Report),
    /// Run the security and behaviour checks against a server.
    Conform(Conform),
    /// Report what this machine can and cannot measure, why, and what to do about it.
    Doctor(Doctor),
    /// Wait until the parent process exits, then remove the files, control groups and keys that it left.
    #[command(name = TIDY_AFTER, hide = true)]
    TidyAfter(TidyAfter),
}

/// The subcommand that authbench starts as a child process.
pub(crate) const TIDY_AFTER: &str = "tidy-after";

#[derive(Args, Debug)]
pub(crate) struct TidyAfter {
    /// ID of the parent process.
    pub(crate) pid: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// How much to measure: quick, standard or full.
    #[arg(long, default_value = "quick")]
    pub(crate) profile: Profile,
    /// Schemes, separated by commas, or `all`; the control `anonymous` is always included.
    #[arg(long, value_name = "a,b,..", value_parser = schemes)]
    pub(crate) schemes: Option<Schemes>,
    #[arg(long, value_name = "x,y,..", value_parser = experiments, help = experiments_help(), long_help = experiments_long_help())]
    pub(crate) experiments: Option<Experiments>,
    /// Carrier of the credential: bearer or cookie; the same for every scheme.
    #[arg(long, default_value = "bearer")]
    pub(crate) carrier: Carrier,
    /// Load balancer for the nodes of `scaling`: generator (the load generator visits the nodes in turn) or haproxy.
    #[arg(long, default_value_t)]
    pub(crate) balancer: Balancer,
    /// Seed for all random choices.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder of the run, new or empty; by default `results/runs/<utc>-<profile>`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Use this Redis, such as `redis://127.0.0.1:6379/0`, instead of starting a private one. Its database must be
    /// empty; authbench touches only keys with its own prefix.
    #[arg(long, value_name = "URL")]
    pub(crate) redis_url: Option<String>,
    /// Use the Redis of --redis-url even if its database is not empty.
    #[arg(long, requires = "redis_url")]
    pub(crate) redis_in_use: bool,
    /// Measure servers without running the conformance checks first. The run is marked accordingly.
    #[arg(long)]
    pub(crate) unsafe_skip_conformance: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Load {
    /// URL of the server, such as `http://127.0.0.1:8080`. If it has a path, every route is appended to it.
    #[arg(long, value_name = "URL")]
    pub(crate) target: BaseUrl,
    /// Fail unless the target reports its scheme at /bench/scheme.
    #[arg(long)]
    pub(crate) scheme_from_target: bool,
    /// Open loop: requests per second, sent when due, without waiting for earlier responses.
    #[arg(long, value_name = "R", conflicts_with_all = ["users", "plan"], allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,
    /// Closed loop: number of users; each sends its next request when the previous response has arrived.
    #[arg(long, value_name = "N", conflicts_with = "plan", allow_negative_numbers = true)]
    pub(crate) users: Option<u32>,
    /// Find the highest rate that meets this objective, such as p99=10ms (any percentile between p0 and p100; us, ms or
    /// s). Repeat the option to require several objectives. Response times are measured from the moment a request is
    /// due. A search takes about 55 rounds, at most 120, and at most 20 minutes of load.
    #[arg(long, value_name = "QUANTILE=TIME", conflicts_with_all = ["rate", "users", "plan"])]
    pub(crate) slo: Vec<Objective>,
    /// Duration of the load, such as 20s or 2m. With --slo: duration of one round of the search [default there: 2s];
    /// rounds are up to ten times longer at rates so low that they would have too few requests.
    #[arg(long, value_name = "D", value_parser = duration, conflicts_with = "plan", allow_hyphen_values = true)]
    pub(crate) duration: Option<Duration>,
    /// Plan file in TOML, instead of --rate, --users and --duration.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Arrivals of an open loop: poisson or fixed.
    #[arg(long, default_value = "poisson", conflicts_with_all = ["users", "plan"])]
    pub(crate) arrivals: ArrivalKind,
    /// Number of connections of an open loop [default: 64]
    #[arg(long, value_name = "N", conflicts_with_all = ["users", "plan"])]
    pub(crate) connections: Option<u32>,
    /// Number of credentials in use [default: 10000, or 100 if each needs a login]
    #[arg(long, value_name = "N", conflicts_with = "plan")]
    pub(crate) population: Option<u32>,
    /// Fixed warm-up to exclude, such as 2s, instead of a detected one.
    #[arg(long, value_name = "D", value_parser = duration, conflicts_with = "plan", allow_hyphen_values = true)]
    pub(crate) warmup: Option<Duration>,
    /// Seed for all random choices [default: 1]
    #[arg(long, conflicts_with = "plan")]
    pub(crate) seed: Option<u64>,
    /// Folder of the run, new or empty; by default `results/runs/<utc>-load`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Gate {
    /// The old version: a folder of servers' binaries, a run with counts (its folder or record.json), or else a git
    /// revision, which is built in a worktree under target/gate.
    #[arg(long, value_name = "REV|BINARIES|RECORD")]
    pub(crate) base: String,
    /// The new version, in the same forms [default: the working tree]
    #[arg(long, value_name = "REV|BINARIES|RECORD")]
    pub(crate) head: Option<String>,
    /// Schemes, separated by commas, or `all`; the control `anonymous` is always included [default: those of
    /// the run, or else anonymous, session-memory, session-redis, jwt-hs256, hybrid]
    #[arg(long, value_name = "a,b,..", value_parser = schemes)]
    pub(crate) schemes: Option<Schemes>,
    /// Seed for all random choices.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder of the run, new or empty; by default `results/runs/<utc>-gate`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Folder of the run, or its record.json, which may be compressed with gzip.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Conform {
    /// URL of the server, such as `http://127.0.0.1:8080`; repeat the option for servers that share a store and keys.
    /// The checks log users in, lock them out, change their passwords and move the server's clock: do not run them
    /// against a server that is in use.
    #[arg(long, required = true, value_name = "URL", value_parser = base_url)]
    pub(crate) target: Vec<String>,
    /// File with the server's HMAC secret; enables the checks that forge tokens.
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    pub(crate) secret_file: Option<PathBuf>,
    /// File with the server's private key in PKCS #8 PEM format; enables the checks that forge tokens.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Log file of the server, written at its most detailed level; enables the check that it contains no secrets.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Seconds for which the server accepts a refresh token again after its first use.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) refresh_grace_s: u64,
    /// Number of randomly mutated credentials: bits flipped, parts cut off, swapped or encoded differently.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) mutations: u32,
    /// Print the check results as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print the findings as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the arrivals of an open loop are distributed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ArrivalKind {
    /// At random, independently of one another.
    Poisson,
    /// Evenly spaced.
    Fixed,
}

/// The schemes of --schemes.
#[derive(Clone, Debug)]
pub(crate) struct Schemes(pub(crate) Vec<Scheme>);

/// The experiments of --experiments.
#[derive(Clone, Debug)]
pub(crate) struct Experiments(pub(crate) Vec<Experiment>);

/// Parses a list of schemes. Returns each once, in the table's order, with the control: costs are differences to it.
fn schemes(list: &str) -> Result<Schemes, String> {
    if list == "all" {
        return Ok(Schemes(Scheme::all().collect()));
    }
    let selected: Vec<Scheme> =
        items(list).map(str::parse).collect::<Result<_, _>>().map_err(|error: UnknownName| error.to_string())?;
    Ok(Schemes(Scheme::all().filter(|scheme| scheme.is_control() || selected.contains(scheme)).collect()))
}

fn experiments(list: &str) -> Result<Experiments, String> {
    let selected: Vec<Experiment> =
        items(list).map(str::parse).collect::<Result<_, _>>().map_err(|error: UnknownExperiment| error.to_string())?;
    Ok(Experiments(Experiment::all().filter(|experiment| selected.contains(experiment)).collect()))
}

/// The experiments by name, and which are the default.
fn experiments_help() -> String {
    let names = |of: &mut dyn Iterator<Item = Experiment>| of.map(Experiment::id).collect::<Vec<_>>().join(", ");
    format!(
        "Experiments, separated by commas: {} [default: all; in quick only {}]",
        names(&mut Experiment::all()),
        names(&mut Profile::Quick.experiments().into_iter())
    )
}

/// The same, with what each compares.
fn experiments_long_help() -> String {
    let line = |each: Experiment| format!("\n  {:<10}  {}; compares {}", each.id(), each.title(), each.compares());
    format!("{}\n{}", experiments_help(), Experiment::all().map(line).collect::<String>())
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

/// Checks a base URL and returns it unchanged.
fn base_url(text: &str) -> Result<String, BaseUrlError> {
    text.parse::<BaseUrl>().map(|_| text.to_owned())
}

/// Parses a duration such as `20s`, `1m30s`, `500ms`, or a plain number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => text.parse::<jiff::SignedDuration>().map_err(|error| error.to_string())?.as_secs_f64(),
    };
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| format!("{text} is not a duration; expected seconds or a duration such as 20s or 1m30s"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn help_of_experiments_is_made_from_the_table() {
        let help = experiments_long_help();
        for experiment in Experiment::all() {
            assert!(help.contains(experiment.id()) && help.contains(experiment.compares()), "{help}");
        }
        assert!(help.contains("in quick only cost, counters, latency, memory, wire]"), "{help}");
    }

    #[test]
    fn command_line_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn schemes_always_include_the_control() {
        let ids = |list| schemes(list).map(|schemes| schemes.0.iter().map(|scheme| scheme.id()).collect::<Vec<_>>());
        assert_eq!(ids("jwt-hs256, session-redis,jwt-hs256").unwrap(), ["anonymous", "session-redis", "jwt-hs256"]);
        assert_eq!(ids("all").unwrap().len(), Scheme::all().count());
        assert!(ids("").is_err());
        assert!(ids("jwt").unwrap_err().contains("jwt-hs256"));
    }

    #[test]
    fn invalid_durations_are_rejected() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["-5s", "-1", "nan", "inf", "soon", "", "1e300"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
