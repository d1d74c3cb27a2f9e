//! The target of a load: its name, its processes, and credentials for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use contract::body::MintedCredential;
use contract::user::{PASSWORD, username};
use contract::{Carrier, SchemeDescriptor, route};
use driver::{Credentials, Target, Workers};
use engine::plan::{Mix, Plan};
use lab::http::{Client, HttpError, cookie_header};

use crate::{cli, terminal};

/// The default number of credentials if each needs a login, which costs a password hash.
const DEFAULT_LOGINS: u32 = 100;
/// The name of a scheme whose server does not report one.
const UNNAMED: &str = "unnamed";
/// More threads than this do not make one machine's generator faster.
const MAX_WORKERS: usize = 4;

/// Returns the id of the scheme.
pub(crate) fn name(descriptor: Option<&SchemeDescriptor>) -> &str {
    descriptor.map_or(UNNAMED, |descriptor| &descriptor.scheme)
}

/// Returns the process that listens at the target, if it runs on this machine.
pub(crate) fn local_servers(args: &cli::Load) -> Vec<u32> {
    lab::listener::process_listening_at(args.target.as_str()).into_iter().collect()
}

pub(crate) fn workers() -> Workers {
    let count = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    Workers { count, dedicated_cpus: false }
}

/// Returns the target with newly issued credentials.
pub(crate) fn target(
    args: &cli::Load,
    plan: &Plan,
    client: &Client,
    descriptor: Option<&SchemeDescriptor>,
) -> anyhow::Result<Target> {
    let credentials = Arc::new(Credentials::new(credentials(args, plan, client, descriptor)?)?);
    let carrier = descriptor.map_or(Carrier::Bearer, |descriptor| descriptor.carrier);
    Ok(Target::one(args.target.to_string(), credentials, carrier))
}

/// Mints credentials if the target supports it; otherwise logs users in one by one.
fn credentials(
    args: &cli::Load,
    plan: &Plan,
    client: &Client,
    descriptor: Option<&SchemeDescriptor>,
) -> anyhow::Result<Vec<MintedCredential>> {
    // A journey logs in by itself.
    let size = if matches!(plan.mix, Mix::Journey { .. }) { 1 } else { plan.population.size };
    // A target that does not mint may respond to the unknown path with anything: 401, 302, 404, a page with 200.
    let why = match client.mint(size, 0) {
        Ok(minted) => return Ok(minted),
        Err(HttpError::Status { status, .. }) => format!("status {status}"),
        Err(HttpError::MintedWrongly { found, expected, .. }) => format!("{found} credentials instead of {expected}"),
        Err(HttpError::TooLarge { limit, .. }) => format!("more than {limit} bytes"),
        Err(HttpError::Unreachable { .. }) => "no response".to_owned(),
        Err(HttpError::Malformed { .. } | HttpError::NotAnAuthServer { .. }) => "unexpected response".to_owned(),
    };
    let size = if args.population.is_some() || args.plan.is_some() { size } else { size.min(DEFAULT_LOGINS) };
    terminal::note(&format!("the target does not mint credentials ({why}); logging in as {size} users"));
    let users = descriptor.map_or(u32::MAX, |descriptor| descriptor.users.max(1));
    (0..size).map(|number| log_in(client, number % users)).collect()
}

fn log_in(client: &Client, number: u32) -> anyhow::Result<MintedCredential> {
    let username = username(number);
    let (login, response) = client
        .login(&username, PASSWORD)
        .with_context(|| format!("cannot log in as {username}; is the target an auth server with the seeded users?"))?;
    let token = login.token.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
    // All cookies of the login, as a browser sends them: only the target knows which of them it needs.
    let cookies = cookie_header(&client.cookies(&response, route::ME)).map(|cookies| ("cookie".to_owned(), cookies));
    let headers: BTreeMap<_, _> = token.into_iter().chain(cookies).collect();
    if headers.is_empty() {
        return Err(anyhow!(
            "the login as {username} issued neither a token nor a cookie; POST /login must return `token` or Set-Cookie"
        ));
    }
    Ok(MintedCredential { username, headers, refresh_token: login.refresh_token })
}
