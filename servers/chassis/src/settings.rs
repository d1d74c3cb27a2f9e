//! The settings of the server: flags over environment over file, checked once and then trusted.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser};
use contract::{BaseUrl, Carrier, Scheme, Touch, user};
use tracing::level_filters::LevelFilter;

use crate::config_file::{self, Setting};
use crate::connections::Limits;
use crate::module::{AuthModule, ModuleSettings, StartError};
use crate::password::Memory;

/// The flag that names the configuration file.
const CONFIG: &str = "config";
/// The heading of the flags of an auth module.
const SCHEME_OPTIONS: &str = "Scheme options";

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_KEY_PREFIX: &str = "authbench:";
const DEFAULT_NODE: &str = "node-1";
/// Twelve hours, as OWASP's session management cheat sheet bounds an office worker's day from above.
const DEFAULT_ABSOLUTE_TTL_S: u64 = 12 * 3600;
const DEFAULT_REQUEST_TIMEOUT_S: u32 = 10;
/// Longer than clients and balancers keep an idle connection by default (reqwest 90 s, AWS and nginx 60 s), so that
/// they close it first, and no request is sent into a connection that is being closed.
const DEFAULT_IDLE_TIMEOUT_S: u32 = 120;
/// More threads than any machine needs: a far larger number would abort the process without an error message.
const MAX_WORKERS: usize = 1024;
/// Ten years: the sum of a time and a lifetime cannot overflow.
const MAX_TTL_S: u64 = 10 * 365 * 24 * 3600;

/// Everything that the chassis itself has to know.
pub(crate) struct Settings {
    pub(crate) start: ModuleSettings,
    pub(crate) next_hop: Option<BaseUrl>,
    pub(crate) bench: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) users: u32,
    pub(crate) password_memory: Memory,
    pub(crate) workers: usize,
    pub(crate) node: String,
    pub(crate) limits: Limits,
    pub(crate) log: LevelFilter,
}

/// What flags, environment and file say; none: the default.
#[derive(Default, Args)]
pub(crate) struct ServerOptions {
    /// Scheme to serve, one of those listed below [default: the first]
    #[arg(long, env = "AUTHBENCH_SCHEME", value_name = "ID")]
    scheme: Option<String>,
    /// Carrier of the credential: cookie or bearer [default: bearer]
    #[arg(long, env = "AUTHBENCH_CARRIER", value_name = "CARRIER")]
    carrier: Option<Carrier>,
    /// Redis URL, such as <redis://127.0.0.1:6379/0>; for schemes that store state in Redis
    #[arg(long, env = "AUTHBENCH_REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis_url: Option<String>,
    /// `PostgreSQL` URL, such as <postgresql://user@127.0.0.1:5432/database>; for session-postgres
    #[arg(long, env = "AUTHBENCH_POSTGRES_URL", hide_env_values = true, value_name = "URL")]
    postgres_url: Option<String>,
    /// When activity extends a session's idle timeout: never, throttled or always [default: throttled]
    #[arg(long, env = "AUTHBENCH_TOUCH", value_name = "POLICY")]
    touch: Option<Touch>,
    /// Enable POST /bench/mint (credentials without a password), /bench/clock and /bench/rotate for loopback clients
    #[arg(long, env = "AUTHBENCH_BENCH", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    bench: Option<bool>,
    /// Address to listen on; port 0 selects a free port, printed on stdout [default: 127.0.0.1:8080]
    #[arg(long, env = "AUTHBENCH_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Number of seeded users: user-000000 (an admin), user-000001, ... [default: 100000]
    #[arg(long, env = "AUTHBENCH_USERS", value_name = "N")]
    users: Option<u32>,
    /// Number of roles of an ordinary user [default: 1]
    #[arg(long, env = "AUTHBENCH_ROLES", value_name = "N")]
    roles: Option<u16>,
    /// Memory that argon2id uses per password hash, in KiB; values below the default require --bench [default: 19456]
    #[arg(long, env = "AUTHBENCH_PASSWORD_KIB", value_name = "KIB")]
    password_kib: Option<u32>,
    /// Number of threads that serve requests [default: the CPUs available to the process]
    #[arg(long, env = "AUTHBENCH_WORKERS", value_name = "N")]
    workers: Option<usize>,
    /// Name of this server among several of the same kind [default: node-1]
    #[arg(long, env = "AUTHBENCH_NODE", value_name = "NAME")]
    node: Option<String>,
    /// Prefix of every key in a shared store [default: authbench:]
    #[arg(long, env = "AUTHBENCH_KEY_PREFIX", value_name = "TEXT")]
    key_prefix: Option<String>,
    /// Lifetime of a credential that is not renewed, in seconds [default: depends on the scheme]
    #[arg(long, env = "AUTHBENCH_CREDENTIAL_TTL_S", value_name = "SECONDS")]
    credential_ttl_s: Option<u64>,
    /// Absolute timeout: seconds after login at which a credential expires even if renewed [default: 43200]
    #[arg(long, env = "AUTHBENCH_ABSOLUTE_TTL_S", value_name = "SECONDS")]
    absolute_ttl_s: Option<u64>,
    /// Next server, to which GET /chain forwards its requests, such as <http://127.0.0.1:8081>
    #[arg(long, env = "AUTHBENCH_NEXT_HOP", value_name = "URL")]
    next_hop: Option<String>,
    /// Timeout in seconds for the head of a client's first request and for every request body [default: 10]
    #[arg(long, env = "AUTHBENCH_REQUEST_TIMEOUT_S", value_name = "SECONDS")]
    request_timeout_s: Option<u32>,
    /// Timeout in seconds of an idle connection between two requests [default: 120]
    #[arg(long, env = "AUTHBENCH_IDLE_TIMEOUT_S", value_name = "SECONDS")]
    idle_timeout_s: Option<u32>,
    /// Log level on stderr: off, error, warn, info or debug [default: warn]
    #[arg(long, env = "AUTHBENCH_LOG", value_name = "LEVEL")]
    log: Option<String>,
}

/// A reference server of authbench.
///
/// Each flag has an environment variable (an empty one counts as unset) and a key of the same name in the file given
/// with --config: in the table [server], or in [auth] for the scheme options. Flags override the environment, and
/// both override the file.
#[derive(Parser)]
#[command(version)]
struct CommandLine<O: Args> {
    /// Configuration file (TOML) with the tables [server] and [auth]
    #[arg(long, env = "AUTHBENCH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    server: ServerOptions,
    #[command(flatten, next_help_heading = SCHEME_OPTIONS)]
    auth: O,
}

/// Returns the settings of the chassis and of the module `M` from the process's arguments.
///
/// Exits with code 0 where only help or the version was requested.
pub(crate) fn parse<M: AuthModule>(arguments: Vec<OsString>) -> Result<(Settings, M::Options), StartError> {
    let found = layered(command::<M>(), arguments)?;
    let line = CommandLine::<M::Options>::from_arg_matches(&found).map_err(|wrong| usage(&wrong))?;
    Ok((line.server.check(M::BINARY)?, line.auth))
}

/// Flags over environment over file: what only the file has is parsed as flags in front of the given ones.
fn layered(command: Command, arguments: Vec<OsString>) -> Result<ArgMatches, StartError> {
    let command = command.mut_args(without_empty_variable);
    let found = match command.clone().try_get_matches_from(&arguments) {
        Ok(found) => found,
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(wrong) => return Err(usage(&wrong)),
    };
    let Some(file) = found.get_one::<PathBuf>(CONFIG) else { return Ok(found) };
    let mut arguments = arguments.into_iter();
    let mut all: Vec<OsString> = arguments.next().into_iter().collect();
    for setting in config_file::read(file)? {
        let (argument, flag) = flag(&command, &setting)?;
        if !is_in_environment(argument) {
            all.push(flag.into());
        }
    }
    all.extend(arguments);
    command.args_override_self(true).try_get_matches_from(all).map_err(|wrong| usage(&wrong))
}

/// Returns what a setting of the file is as a flag. An unknown key is an error, because a misspelt setting that is silently
/// ignored makes a measurement of something else.
fn flag<'c>(command: &'c Command, setting: &Setting) -> Result<(&'c Arg, String), StartError> {
    let Setting { table, key, value, .. } = setting;
    let heading = (table == "auth").then_some(SCHEME_OPTIONS);
    let of_table =
        || command.get_arguments().filter(|each| each.get_help_heading() == heading && each.get_id() != CONFIG);
    let Some(argument) = of_table().find(|each| each.get_long() == Some(key)) else {
        let known: Vec<_> = of_table().filter_map(Arg::get_long).collect();
        return Err(setting.invalid(format!("unknown key `{key}`; [{table}] can have: {}", known.join(", "))));
    };
    let flag = format!("--{key}={value}");
    let alone = command.clone().mut_args(|each| each.env(Resettable::Reset)).no_binary_name(true);
    match alone.try_get_matches_from([&flag]) {
        Ok(_) => Ok((argument, flag)),
        Err(wrong) => Err(setting.invalid(one_line(&wrong))),
    }
}

fn usage(wrong: &clap::Error) -> StartError {
    StartError::Usage(one_line(wrong))
}

fn is_in_environment(argument: &Arg) -> bool {
    argument.get_env().and_then(std::env::var_os).is_some_and(|value| !value.is_empty())
}

fn command<M: AuthModule>() -> Command {
    CommandLine::<M::Options>::command().name(M::BINARY).after_help(scheme_list(M::BINARY))
}

/// An empty variable counts as not set: a compose file or a systemd unit leaves a variable out that way.
fn without_empty_variable(argument: Arg) -> Arg {
    match argument.get_env().and_then(std::env::var_os) {
        Some(value) if value.is_empty() => argument.env(Resettable::Reset),
        _ => argument,
    }
}

/// Returns the error in the settings, with the name of the environment variable where the value comes from one.
pub(crate) fn naming_variable<M: AuthModule>(fault: &str, arguments: &[OsString]) -> String {
    let command = command::<M>();
    let word = |each: char| !(each.is_ascii_alphanumeric() || each == '-');
    let flags: Vec<&str> = fault.split(word).filter_map(|word| word.strip_prefix("--")).collect();
    let is_given = |flag: &str| {
        let given = |argument: &OsString| Some(argument.to_str()?.strip_prefix("--")?.split('=').next() == Some(flag));
        arguments.iter().any(|argument| given(argument).unwrap_or(false))
    };
    let of_variable = |argument: &&Arg| {
        is_in_environment(argument)
            && argument.get_long().is_some_and(|flag| flags.first() == Some(&flag) && !is_given(flag))
    };
    match command.get_arguments().find(of_variable).and_then(Arg::get_env) {
        Some(variable) => format!("{}: {fault}", variable.to_string_lossy()),
        None => fault.to_owned(),
    }
}

#[cfg(test)]
impl Settings {
    /// Returns the default settings.
    pub(crate) fn defaults(binary: &'static str) -> Self {
        ServerOptions::default().check(binary).expect("the defaults are valid")
    }
}

impl ServerOptions {
    fn check(self, binary: &'static str) -> Result<Settings, StartError> {
        let absolute_ttl_s = within("--absolute-ttl-s", self.absolute_ttl_s.unwrap_or(DEFAULT_ABSOLUTE_TTL_S))?;
        let credential_ttl_s = self.credential_ttl_s.map(|ttl_s| within("--credential-ttl-s", ttl_s)).transpose()?;
        let bench = self.bench.unwrap_or(false);
        Ok(Settings {
            next_hop: self.next_hop.as_deref().map(next_hop).transpose()?,
            bench,
            listen: self.listen.unwrap_or_else(|| DEFAULT_LISTEN.parse().expect("the default is an address")),
            users: at_least_one("--users", self.users.unwrap_or(user::DEFAULT_USERS))?,
            password_memory: self.password_kib.map_or(Ok(Memory::default()), |kib| password_memory(kib, bench))?,
            workers: workers(self.workers.unwrap_or_else(usable_cpus))?,
            node: self.node.unwrap_or_else(|| DEFAULT_NODE.to_owned()),
            limits: Limits {
                request_timeout_s: at_least_one(
                    "--request-timeout-s",
                    self.request_timeout_s.unwrap_or(DEFAULT_REQUEST_TIMEOUT_S),
                )?,
                idle_timeout_s: at_least_one(
                    "--idle-timeout-s",
                    self.idle_timeout_s.unwrap_or(DEFAULT_IDLE_TIMEOUT_S),
                )?,
            },
            log: level(self.log.as_deref().unwrap_or("warn"))?,
            start: ModuleSettings {
                scheme: scheme(binary, self.scheme.as_deref())?,
                carrier: self.carrier.unwrap_or_default(),
                redis_url: self.redis_url,
                postgres_url: self.postgres_url,
                key_prefix: self.key_prefix.unwrap_or_else(|| DEFAULT_KEY_PREFIX.to_owned()),
                touch: self.touch.unwrap_or_default(),
                credential_ttl_s,
                absolute_ttl_s,
                roles: self.roles.unwrap_or(user::DEFAULT_ROLES),
            },
        })
    }
}

fn scheme(binary: &str, id: Option<&str>) -> Result<Scheme, StartError> {
    let mut own = Scheme::of_binary(binary);
    let found = match id {
        Some(id) => own.find(|scheme| scheme.id() == id),
        None => own.next(),
    };
    found.ok_or_else(|| {
        let known = Scheme::of_binary(binary).map(Scheme::id).collect::<Vec<_>>().join(", ");
        StartError::Usage(format!("--scheme {}: not a scheme of {binary}; supported: {known}", id.unwrap_or_default()))
    })
}

/// The base URL of the server behind this one.
fn next_hop(url: &str) -> Result<BaseUrl, StartError> {
    url.parse().map_err(|error| StartError::Usage(format!("--next-hop {url}: {error}, such as http://127.0.0.1:8081")))
}

fn level(word: &str) -> Result<LevelFilter, StartError> {
    match word {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        _ => Err(StartError::Usage(format!("--log {word}: unknown level; supported: off, error, warn, info, debug"))),
    }
}

fn within(flag: &str, ttl_s: u64) -> Result<u64, StartError> {
    if (1..=MAX_TTL_S).contains(&ttl_s) {
        return Ok(ttl_s);
    }
    Err(StartError::Usage(format!("{flag} {ttl_s}: must be between 1 and {MAX_TTL_S} seconds")))
}

fn at_least_one<N: PartialEq + From<u8>>(flag: &str, count: N) -> Result<N, StartError> {
    if count == N::from(0) {
        return Err(StartError::Usage(format!("{flag} 0: must be at least 1")));
    }
    Ok(count)
}

fn workers(count: usize) -> Result<usize, StartError> {
    if count > MAX_WORKERS {
        return Err(StartError::Usage(format!("--workers {count}: must be at most {MAX_WORKERS}")));
    }
    at_least_one("--workers", count)
}

fn password_memory(kib: u32, bench: bool) -> Result<Memory, StartError> {
    let least = if bench { 8 } else { Memory::RECOMMENDED_KIB };
    let memory = Memory::kib(kib).filter(|memory| bench || memory.is_recommended());
    memory.ok_or_else(|| {
        let but = if bench { "" } else { "; smaller values require --bench" };
        StartError::Usage(format!("--password-kib {kib}: must be between {least} and {} KiB{but}", Memory::MAX_KIB))
    })
}

fn usable_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn scheme_list(binary: &str) -> String {
    let rows = Scheme::of_binary(binary).map(|scheme| format!("\n  {:<20} {}", scheme.id(), scheme.summary()));
    format!("Schemes:{}", rows.collect::<String>())
}

/// The first line of clap's message is the fault; the rest is usage.
fn one_line(wrong: &clap::Error) -> String {
    let text = wrong.to_string();
    let fault = text.lines().next().unwrap_or_default();
    format!("{}; see --help", fault.strip_prefix("error: ").unwrap_or(fault))
}
