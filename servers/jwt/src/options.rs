//! The settings of `jwt-server`: flags, environment variables and the table `[auth]` of the configuration file.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chassis::module::{ModuleSettings, StartError};

use crate::claims::TokenPolicy;
use crate::{Algorithm, SigningKey};

const DEFAULT_ISSUER: &str = "https://auth.example.test";
const DEFAULT_AUDIENCE: &str = "https://api.example.test";
const DEFAULT_PROPAGATION_S: u64 = 2;
const DEFAULT_EPOCH_TTL_S: u64 = 10;
/// Enough for clocks that are kept, too few to matter.
const MAX_LEEWAY_S: u64 = 5;
/// An hour: a longer revocation window would be no revocation.
const MAX_WINDOW_S: u64 = 3600;

/// Flags, environment variables and the table `[auth]` of the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct JwtOptions {
    /// Private key of jwt-eddsa, jwt-es256, jwt-rs256 and their variants: a PKCS #8 PEM file
    /// [default: a new key]
    #[arg(long, env = "AUTHBENCH_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Secret of jwt-hs256 and its variants: a file of at least 32 bytes, not counting a line end at the end of a text
    /// [default: a new secret]
    #[arg(long, env = "AUTHBENCH_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Claim iss of every token [default: <https://auth.example.test>]
    #[arg(long, env = "AUTHBENCH_ISSUER", value_name = "URL")]
    pub issuer: Option<String>,
    /// Claim aud of every token [default: <https://api.example.test>]
    #[arg(long, env = "AUTHBENCH_AUDIENCE", value_name = "URL")]
    pub audience: Option<String>,
    /// Allowed clock difference between servers, in seconds, at most 5 [default: 0]
    #[arg(long, env = "AUTHBENCH_LEEWAY_S", value_name = "SECONDS")]
    pub leeway_s: Option<u64>,
    /// Also accept tokens signed by the keys at this URL, such as
    /// <http://127.0.0.1:8080/.well-known/jwks.json> of an edge-server
    #[arg(long, env = "AUTHBENCH_TRUSTED_JWKS", value_name = "URL")]
    pub trusted_jwks: Option<String>,
    /// With jwt-*-push, maximum age of the denylist in seconds; if it is older, the server responds with 503
    /// [default: 2]
    #[arg(long, env = "AUTHBENCH_PROPAGATION_S", value_name = "SECONDS")]
    pub propagation_s: Option<u64>,
    /// With jwt-*-epoch, seconds for which a user's epoch is cached [default: 10]
    #[arg(long, env = "AUTHBENCH_EPOCH_TTL_S", value_name = "SECONDS")]
    pub epoch_ttl_s: Option<u64>,
    /// With jwt-*-refresh, seconds for which a used refresh token is accepted again; with 0 a second use revokes the
    /// login [default: 0]
    #[arg(long, env = "AUTHBENCH_REFRESH_GRACE_S", value_name = "SECONDS")]
    pub refresh_grace_s: Option<u64>,
}

/// How long a revocation may take, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) propagation_s: u64,
    pub(crate) epoch_ttl_s: u64,
    pub(crate) refresh_grace_s: u64,
}

impl JwtOptions {
    /// Returns the terms of the tokens, with a lifetime of `default_ttl_s` seconds unless configured.
    pub(crate) fn policy(&self, start: &ModuleSettings, default_ttl_s: u64) -> Result<TokenPolicy, StartError> {
        let leeway_s = self.leeway_s.unwrap_or(0);
        if leeway_s > MAX_LEEWAY_S {
            return usage(format!(
                "--leeway-s {leeway_s}: must be at most {MAX_LEEWAY_S}, because it extends the lifetime of every token"
            ));
        }
        let absolute_ttl_s = start.absolute_ttl_s;
        let ttl_s = start.credential_ttl_s.unwrap_or(default_ttl_s.min(absolute_ttl_s));
        if ttl_s > absolute_ttl_s {
            let text =
                format!("--credential-ttl-s {ttl_s}: must be at most {absolute_ttl_s}, the value of --absolute-ttl-s");
            return usage(text);
        }
        Ok(TokenPolicy {
            issuer: self.issuer.clone().unwrap_or_else(|| DEFAULT_ISSUER.to_owned()),
            audience: self.audience.clone().unwrap_or_else(|| DEFAULT_AUDIENCE.to_owned()),
            ttl_s,
            absolute_ttl_s,
            leeway_s,
        })
    }

    /// Returns the address of the additionally trusted keys, if it is a URL.
    pub(crate) fn trusted_jwks_url(&self) -> Result<Option<String>, StartError> {
        self.trusted_jwks.as_deref().map_or(Ok(()), jwks_url)?;
        Ok(self.trusted_jwks.clone())
    }

    /// The windows, if they are within their bounds.
    pub(crate) fn windows(&self) -> Result<Windows, StartError> {
        let some = 1..=MAX_WINDOW_S;
        let propagation_s = self.propagation_s.unwrap_or(DEFAULT_PROPAGATION_S);
        let epoch_ttl_s = self.epoch_ttl_s.unwrap_or(DEFAULT_EPOCH_TTL_S);
        Ok(Windows {
            propagation_s: check_range("--propagation-s", propagation_s, some.clone())?,
            epoch_ttl_s: check_range("--epoch-ttl-s", epoch_ttl_s, some)?,
            refresh_grace_s: check_range("--refresh-grace-s", self.refresh_grace_s.unwrap_or(0), 0..=MAX_WINDOW_S)?,
        })
    }

    /// The key in the file that was named, or a fresh one if none was.
    pub(crate) fn signing_key(&self, algorithm: Algorithm) -> Result<SigningKey, StartError> {
        match (algorithm, &self.secret_file, &self.key_file) {
            (_, None, None) => SigningKey::generate(algorithm).map_err(|error| StartError::Failed(error.to_string())),
            (Algorithm::Hs256, Some(file), None) => read_key("--secret-file", file, algorithm),
            (Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256, None, Some(file)) => {
                read_key("--key-file", file, algorithm)
            }
            (Algorithm::Hs256, ..) => usage("--key-file: HS256 signs with a secret; give --secret-file".to_owned()),
            (..) => usage(format!("--secret-file: {algorithm} signs with a private key; give --key-file")),
        }
    }
}

/// The key for this algorithm in the file that this flag names.
pub(crate) fn read_key(flag: &str, file: &Path, algorithm: Algorithm) -> Result<SigningKey, StartError> {
    let content = read(flag, file)?;
    let key = match algorithm {
        Algorithm::Hs256 => SigningKey::from_secret_file(&content),
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256 => SigningKey::from_pem(algorithm, &content),
    };
    key.or_else(|error| reject_file(flag, file, error))
}

/// A URL that could be fetched.
fn jwks_url(url: &str) -> Result<(), StartError> {
    if url.strip_prefix("http://").is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty()) {
        return Ok(());
    }
    usage(format!("--trusted-jwks {url}: give a URL such as http://127.0.0.1:8080/.well-known/jwks.json"))
}

fn check_range(flag: &str, seconds: u64, bounds: RangeInclusive<u64>) -> Result<u64, StartError> {
    if bounds.contains(&seconds) {
        return Ok(seconds);
    }
    usage(format!("{flag} {seconds}: must be between {} and {} seconds", bounds.start(), bounds.end()))
}

fn read(flag: &str, file: &Path) -> Result<Vec<u8>, StartError> {
    chassis::file::read(file).or_else(|error| reject_file(flag, file, error))
}

fn reject_file<T>(flag: &str, file: &Path, error: impl std::fmt::Display) -> Result<T, StartError> {
    usage(format!("{flag} {}: {error}", file.display()))
}

pub(crate) fn usage<T>(text: String) -> Result<T, StartError> {
    Err(StartError::Usage(text))
}
