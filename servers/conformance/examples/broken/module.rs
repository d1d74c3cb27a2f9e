//! The real module with a fault added.

use std::path::PathBuf;
use std::sync::Arc;

use chassis::module::{AuthModule, Built, ModuleSettings, StartError};

use crate::faults::Fault;
use crate::faulty_authenticator::FaultyAuthenticator;
use crate::recording_directory::{Changes, RecordingDirectory};
use crate::token_rewriter::TokenRewriter;

/// The seconds of a limit that is never reached.
const FOREVER_S: u64 = 10 * 365 * 24 * 3600;

/// The options of the real module, and the fault.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options<O: clap::Args + Default> {
    /// Fault to add
    #[arg(long)]
    fault: Option<Fault>,
    #[command(flatten)]
    inner: O,
}

/// The option in which a module has its signing key.
pub(crate) trait Keyed {
    /// The file, and whether it is a secret.
    fn key_file(&self) -> Option<(PathBuf, bool)>;
    /// Uses this key instead.
    fn forget_key(&mut self);
}

impl Keyed for session::SessionOptions {
    fn key_file(&self) -> Option<(PathBuf, bool)> {
        None
    }

    fn forget_key(&mut self) {
        self.sealing_key_file = None;
    }
}

impl Keyed for jwt::JwtOptions {
    fn key_file(&self) -> Option<(PathBuf, bool)> {
        let secret = self.secret_file.clone().map(|file| (file, true));
        secret.or_else(|| self.key_file.clone().map(|file| (file, false)))
    }

    fn forget_key(&mut self) {
        self.secret_file = None;
    }
}

/// The module.
pub(crate) struct FaultyModule<M>(std::marker::PhantomData<M>);

impl<M: AuthModule> AuthModule for FaultyModule<M>
where
    M::Options: Keyed + Sync,
{
    const BINARY: &'static str = M::BINARY;
    type Options = Options<M::Options>;
    type Authenticator = FaultyAuthenticator<M::Authenticator>;

    async fn build(start: &ModuleSettings, options: Self::Options) -> Result<Built<Self::Authenticator>, StartError> {
        let fault = options.fault.unwrap_or_default();
        let mut inner = options.inner;
        if fault == Fault::WeakKey {
            inner.forget_key();
        }
        let rewriter = inner.key_file().map(|(path, secret)| TokenRewriter::new(fault, &path, secret));
        let declared = M::build(start, M::Options::default()).await.ok().map(|built| {
            use chassis::auth::Authenticator;
            built.authenticator.describe()
        });
        let mut altered = start.clone();
        match fault {
            Fault::AbsoluteIgnored => altered.absolute_ttl_s = FOREVER_S,
            Fault::NoTouch => altered.touch = contract::Touch::Never,
            Fault::IdleIgnored => altered.credential_ttl_s = Some(start.absolute_ttl_s),
            _ => {}
        }
        let built = M::build(&altered, inner).await;
        let Built { authenticator, directory } = match (built, fault) {
            (Err(_), Fault::WeakKeyUnexplained) => return Err(StartError::Usage("a setting is wrong".to_owned())),
            (built, _) => built?,
        };
        let changes = Changes::default();
        let recording_directory = RecordingDirectory { inner: directory, changes: Arc::clone(&changes) };
        let redis_url = start.redis_url.clone();
        let authenticator = FaultyAuthenticator::new(authenticator, fault, declared, rewriter, changes, redis_url);
        Ok(Built { authenticator, directory: Arc::new(recording_directory) })
    }
}
