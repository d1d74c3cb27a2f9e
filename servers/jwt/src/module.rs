//! The settings of `jwt-server`, and its scheme made from them.

use std::path::{Path, PathBuf};

use chassis::module::{AuthModule, Layered, Start, StartError};
use contract::body::Identity;

use crate::claims::Terms;
use crate::{Algorithm, SigningKey, Tokens};

/// The quarter of an hour that most issuers give an access token.
const DEFAULT_TTL_S: u64 = 900;
const DEFAULT_ISSUER: &str = "https://auth.example.test";
const DEFAULT_AUDIENCE: &str = "https://api.example.test";
/// Enough for clocks that are kept, too few to matter.
const MAX_LEEWAY_S: u64 = 5;

/// Flags, environment variables and the table `[auth]` of the configuration file.
#[derive(Clone, Debug, Default, clap::Args, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct JwtOptions {
    /// Private key of jwt-eddsa, jwt-es256 or jwt-rs256: a PKCS #8 PEM file [default: a fresh key]
    #[arg(long, env = "AUTHBENCH_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Secret of jwt-hs256: a file of at least 32 bytes, not counting its last line end [default: a fresh secret]
    #[arg(long, env = "AUTHBENCH_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// The claim iss of every token [default: <https://auth.example.test>]
    #[arg(long, env = "AUTHBENCH_ISSUER", value_name = "URL")]
    pub issuer: Option<String>,
    /// The claim aud of every token [default: <https://api.example.test>]
    #[arg(long, env = "AUTHBENCH_AUDIENCE", value_name = "URL")]
    pub audience: Option<String>,
    /// Seconds by which the clocks of two servers may differ, at most 5 [default: 0]
    #[arg(long, env = "AUTHBENCH_LEEWAY_S", value_name = "SECONDS")]
    pub leeway_s: Option<u64>,
}

impl Layered for JwtOptions {
    fn over(self, below: Self) -> Self {
        Self {
            key_file: self.key_file.or(below.key_file),
            secret_file: self.secret_file.or(below.secret_file),
            issuer: self.issuer.or(below.issuer),
            audience: self.audience.or(below.audience),
            leeway_s: self.leeway_s.or(below.leeway_s),
        }
    }
}

/// The auth module of `jwt-server`.
pub struct Jwt;

impl AuthModule for Jwt {
    const BINARY: &'static str = "jwt-server";
    type Options = JwtOptions;
    type Authenticator = Tokens;

    async fn build(start: &Start, options: JwtOptions) -> Result<Tokens, StartError> {
        let Some(algorithm) = Algorithm::of_scheme(start.scheme) else {
            return usage(format!("--scheme {}: it names no signature algorithm", start.scheme));
        };
        let tokens = Tokens::new(start.scheme, signing_key(algorithm, &options)?, terms(start, options)?);
        // Better here than at the first login: a token too long to be taken is of no use to anybody.
        if let Err(error) = tokens.sign(&Identity::seeded(0, start.roles), 0, 0) {
            return usage(format!("--roles {}: {error}", start.roles));
        }
        Ok(tokens)
    }
}

fn terms(start: &Start, options: JwtOptions) -> Result<Terms, StartError> {
    let leeway_s = options.leeway_s.unwrap_or(0);
    if leeway_s > MAX_LEEWAY_S {
        return usage(format!("--leeway-s {leeway_s}: give at most {MAX_LEEWAY_S}, for it prolongs every token"));
    }
    let absolute_ttl_s = start.absolute_ttl_s;
    let ttl_s = start.credential_ttl_s.unwrap_or(DEFAULT_TTL_S.min(absolute_ttl_s));
    if ttl_s > absolute_ttl_s {
        return usage(format!("--credential-ttl-s {ttl_s}: give at most {absolute_ttl_s}, which is --absolute-ttl-s"));
    }
    Ok(Terms {
        issuer: options.issuer.unwrap_or_else(|| DEFAULT_ISSUER.to_owned()),
        audience: options.audience.unwrap_or_else(|| DEFAULT_AUDIENCE.to_owned()),
        ttl_s,
        absolute_ttl_s,
        leeway_s,
    })
}

/// The key in the file that was named, or a fresh one if none was.
fn signing_key(algorithm: Algorithm, options: &JwtOptions) -> Result<SigningKey, StartError> {
    match (algorithm, &options.secret_file, &options.key_file) {
        (_, None, None) => SigningKey::generate(algorithm).map_err(|error| StartError::Failed(error.to_string())),
        (Algorithm::Hs256, Some(file), None) => {
            let secret = read("--secret-file", file)?;
            SigningKey::from_secret(without_line_end(&secret)).or_else(|error| refused("--secret-file", file, error))
        }
        (Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256, None, Some(file)) => {
            let pem = read("--key-file", file)?;
            SigningKey::from_pem(algorithm, &pem).or_else(|error| refused("--key-file", file, error))
        }
        (Algorithm::Hs256, ..) => usage("--key-file: HS256 signs with a secret; give --secret-file".to_owned()),
        (..) => usage(format!("--secret-file: {algorithm} signs with a private key; give --key-file")),
    }
}

fn read(flag: &str, file: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(file).or_else(|error| refused(flag, file, error))
}

fn refused<T>(flag: &str, file: &Path, error: impl std::fmt::Display) -> Result<T, StartError> {
    usage(format!("{flag} {}: {error}", file.display()))
}

fn usage<T>(text: String) -> Result<T, StartError> {
    Err(StartError::Usage(text))
}

/// An editor's or `echo`'s line end is not meant to be part of a secret.
fn without_line_end(secret: &[u8]) -> &[u8] {
    let secret = secret.strip_suffix(b"\n").unwrap_or(secret);
    secret.strip_suffix(b"\r").unwrap_or(secret)
}
