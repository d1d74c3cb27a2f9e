//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use contract::scheme::UnknownWord;
use contract::{BaseUrl, BaseUrlError, Carrier, Scheme};
use engine::Experiment;
use engine::experiment::UnknownExperiment;
use engine::slo::Objective;
use experiments::Balancer;
use experiments::profile::Profile;

/// Settles "sessions or JWT?" with evidence: measures what server-side sessions and JWTs cost, and
/// says when its figures cannot be trusted.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done or pass, 1 the tool failed, 2 usage (a bad flag, plan or record),
10 a check of `conform` failed, no rate meets --slo, or a server accepts what its revocation class
forbids, 12 the measurement is invalid by its own
checks, or the rate that was found is not confirmed.
stdout is for results, stderr for progress.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare schemes on this machine, and write a report.
    Compare(Compare),
    /// Load one server at a set rate, or with a set number of users, or find the rate that it can carry.
    Load(Load),
    /// Rebuild every report of a run from its record.json.
    Report(Report),
    /// Check a server against every row of the security table.
    Conform(Conform),
    /// Say what this machine can and cannot measure, why, and what to do about it.
    Doctor(Doctor),
    /// Wait until the process that started this one has ended, and remove what it left.
    #[command(name = TIDY_AFTER, hide = true)]
    TidyAfter(TidyAfter),
}

/// The name of the subcommand that authbench itself starts.
pub(crate) const TIDY_AFTER: &str = "tidy-after";

#[derive(Args, Debug)]
pub(crate) struct TidyAfter {
    /// The process.
    pub(crate) pid: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// How much to measure: quick, standard or full.
    #[arg(long, default_value = "quick")]
    pub(crate) profile: Profile,
    /// Schemes, separated by commas, or `all`; the control `anonymous` is always among them.
    #[arg(long, value_name = "a,b,..", value_parser = schemes)]
    pub(crate) schemes: Option<Schemes>,
    #[arg(long, value_name = "x,y,..", value_parser = experiments, help = experiments_help(), long_help = experiments_long_help())]
    pub(crate) experiments: Option<Experiments>,
    /// Where credentials travel: bearer or cookie; the same for every scheme.
    #[arg(long, default_value = "bearer")]
    pub(crate) carrier: Carrier,
    /// What spreads the load over the nodes of `scaling`: generator, which goes round them itself, or haproxy.
    #[arg(long, default_value_t)]
    pub(crate) balancer: Balancer,
    /// The seed of every random choice.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The run's folder, new or empty; unless given, `results/runs/<utc>-<profile>`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// An own Redis, such as `redis://127.0.0.1:6379/0`, instead of a private one; its database must be
    /// empty, and only keys of authbench's own prefix are touched.
    #[arg(long, value_name = "URL")]
    pub(crate) redis_url: Option<String>,
    /// Take the Redis of --redis-url even if its database is not empty.
    #[arg(long, requires = "redis_url")]
    pub(crate) redis_in_use: bool,
    /// Time servers without looking whether they keep their promises. The run is marked.
    #[arg(long)]
    pub(crate) unsafe_skip_conformance: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Load {
    /// The server, such as `http://127.0.0.1:8080`; with a path, every route is appended to it.
    #[arg(long, value_name = "URL")]
    pub(crate) target: BaseUrl,
    /// Fail unless the target says at /bench/scheme which scheme it runs.
    #[arg(long)]
    pub(crate) scheme_from_target: bool,
    /// Open loop: requests per second, sent when due whether or not answers are in.
    #[arg(long, value_name = "R", conflicts_with_all = ["users", "plan"], allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,
    /// Closed loop: users who each send the next request when the last is answered.
    #[arg(long, value_name = "N", conflicts_with = "plan", allow_negative_numbers = true)]
    pub(crate) users: Option<u32>,
    /// Find the highest rate that meets this objective, such as p99=10ms (any percentile between p0 and p100; us, ms or s). May be
    /// given more than once: then all have to be met. Response times count, from the moment a request is due. A search
    /// takes some 55 rounds, at most 120, and at most 20 minutes of load.
    #[arg(long, value_name = "QUANTILE=TIME", conflicts_with_all = ["rate", "users", "plan"])]
    pub(crate) slo: Vec<Objective>,
    /// How long, such as 20s or 2m; with --slo, how long one round of the search [default there: 2s], up to ten
    /// times longer at rates so low that it would hold too few requests.
    #[arg(long, value_name = "D", value_parser = duration, conflicts_with = "plan", allow_hyphen_values = true)]
    pub(crate) duration: Option<Duration>,
    /// A plan in TOML instead of --rate, --users and --duration.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Arrivals of an open loop: poisson or fixed.
    #[arg(long, default_value = "poisson", conflicts_with_all = ["users", "plan"])]
    pub(crate) arrivals: ArrivalKind,
    /// Connections of an open loop [default: 64]
    #[arg(long, value_name = "N", conflicts_with_all = ["users", "plan"])]
    pub(crate) connections: Option<u32>,
    /// Credentials in use [default: 10000, or 100 where each needs a login]
    #[arg(long, value_name = "N", conflicts_with = "plan")]
    pub(crate) population: Option<u32>,
    /// A set warm-up to cut, such as 2s, instead of a detected one.
    #[arg(long, value_name = "D", value_parser = duration, conflicts_with = "plan", allow_hyphen_values = true)]
    pub(crate) warmup: Option<Duration>,
    /// The seed of every random choice [default: 1]
    #[arg(long, conflicts_with = "plan")]
    pub(crate) seed: Option<u64>,
    /// The run's folder, new or empty; unless given, `results/runs/<utc>-load`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The run's folder, or its record.json.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Conform {
    /// The server, such as `http://127.0.0.1:8080`; once for each of several that share a store and their keys. Users are
    /// logged in, locked out and given other passwords, and its clock is moved: not for a server that is in use.
    #[arg(long, required = true, value_name = "URL", value_parser = base_url)]
    pub(crate) target: Vec<String>,
    /// The server's own HMAC secret: opens the checks that forge tokens.
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The server's own private key, a PKCS #8 PEM file: opens the checks that forge tokens.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The file that the server logs into, at its finest level: opens the check that no secret is in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Seconds for which the server takes a refresh token again after it was used.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) refresh_grace_s: u64,
    /// How many credentials are spoiled by chance: bits flipped, parts cut, swapped, spelled otherwise.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) mutations: u32,
    /// Print the outcomes as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print the findings as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How an open loop's arrivals are spread.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ArrivalKind {
    /// Independent of one another.
    Poisson,
    /// Evenly spaced.
    Fixed,
}

/// Schemes as asked for.
#[derive(Clone, Debug)]
pub(crate) struct Schemes(pub(crate) Vec<Scheme>);

/// Experiments as asked for.
#[derive(Clone, Debug)]
pub(crate) struct Experiments(pub(crate) Vec<Experiment>);

/// In the table's order, each once, the control among them: without it there are no differences.
fn schemes(list: &str) -> Result<Schemes, String> {
    if list == "all" {
        return Ok(Schemes(Scheme::all().collect()));
    }
    let asked: Vec<Scheme> =
        words(list).map(str::parse).collect::<Result<_, _>>().map_err(|error: UnknownWord| error.to_string())?;
    Ok(Schemes(Scheme::all().filter(|scheme| scheme.is_control() || asked.contains(scheme)).collect()))
}

fn experiments(list: &str) -> Result<Experiments, String> {
    let asked: Vec<Experiment> =
        words(list).map(str::parse).collect::<Result<_, _>>().map_err(|error: UnknownExperiment| error.to_string())?;
    Ok(Experiments(Experiment::all().filter(|experiment| asked.contains(experiment)).collect()))
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
    let line = |each: Experiment| format!("\n  {:<10}  {}: {}", each.id(), each.title(), each.compares());
    format!("{}\n{}", experiments_help(), Experiment::all().map(line).collect::<String>())
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

/// A base URL, as it was given.
fn base_url(text: &str) -> Result<String, BaseUrlError> {
    text.parse::<BaseUrl>().map(|_| text.to_owned())
}

/// Such as `20s`, `1m30s`, `500ms`, or a plain number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => text.parse::<jiff::SignedDuration>().map_err(|error| error.to_string())?.as_secs_f64(),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text} is no length of time"))
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
        assert!(help.contains("in quick only cost, latency, memory, wire]"), "{help}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_control_is_always_compared() {
        let ids = |list| schemes(list).map(|schemes| schemes.0.iter().map(|scheme| scheme.id()).collect::<Vec<_>>());
        assert_eq!(ids("jwt-hs256, session-redis,jwt-hs256").unwrap(), ["anonymous", "session-redis", "jwt-hs256"]);
        assert_eq!(ids("all").unwrap().len(), Scheme::all().count());
        assert!(ids("").is_err());
        assert!(ids("jwt").unwrap_err().contains("jwt-hs256"));
    }

    #[test]
    fn durations_are_lengths_of_time() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["-5s", "-1", "nan", "inf", "soon", "", "1e300"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
