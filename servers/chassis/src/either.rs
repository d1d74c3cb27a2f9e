//! Several schemes as one type, so that one can be chosen at start without a dynamic call in every request.

/// Generates an enum whose variants each contain an [`Authenticator`](crate::auth::Authenticator), or a type around such an
/// enum, as an authenticator itself: `either_authenticator!(Any, any => any.0; Which::One, Which::Other)`.
#[macro_export]
macro_rules! either_authenticator {
    ($any:ty, $own:ident => $which:expr; $($variant:path),+ $(,)?) => {
        $crate::either_authenticator!(@methods $any, $own => $which; [$($variant),+]
            issue(identity: &contract::body::Identity, now: $crate::auth::UnixSeconds) -> $crate::auth::Issued;
            verify(credential: Option<&str>, now: $crate::auth::UnixSeconds) -> contract::body::Identity;
            verify_current(credential: Option<&str>, now: $crate::auth::UnixSeconds) -> contract::body::Identity;
            renew(credential: Option<&str>, now: $crate::auth::UnixSeconds)
                -> (contract::body::Identity, $crate::auth::Issued);
            revoke(credential: Option<&str>, now: $crate::auth::UnixSeconds) -> ();
            log_out(presented: $crate::auth::Presented<'_>, now: $crate::auth::UnixSeconds) -> ();
            user_of(presented: $crate::auth::Presented<'_>, now: $crate::auth::UnixSeconds) -> u32;
            revoke_user(user: u32, now: $crate::auth::UnixSeconds) -> ();
            ready() -> ();
            rotate(now: $crate::auth::UnixSeconds) -> bool;
            downstream_token(credential: &str, identity: &contract::body::Identity, now: $crate::auth::UnixSeconds)
                -> Option<String>;
        );
    };
    (@methods $any:ty, $own:ident => $which:expr; $variants:tt
        $($method:ident($($argument:ident: $type:ty),*) -> $output:ty;)+) => {
        impl $crate::auth::Authenticator for $any {
            fn describe(&self) -> $crate::auth::Description {
                let $own = self;
                $crate::either_authenticator!(@match &$which, $variants, scheme => scheme.describe())
            }

            fn jwks(&self, now: $crate::auth::UnixSeconds) -> Option<serde_json::Value> {
                let $own = self;
                $crate::either_authenticator!(@match &$which, $variants, scheme => scheme.jwks(now))
            }

            $(
                async fn $method(&self, $($argument: $type),*) -> Result<$output, $crate::auth::AuthError> {
                    let $own = self;
                    $crate::either_authenticator!(
                        @match &$which, $variants, scheme => scheme.$method($($argument),*).await
                    )
                }
            )+
        }
    };
    (@match $which:expr, [$($variant:path),+], $scheme:ident => $does:expr) => {
        match $which {
            $($variant($scheme) => $does,)+
        }
    };
}
