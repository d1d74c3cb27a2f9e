//! Changed users in `PostgreSQL`: a row a user.

use std::sync::Arc;

use chassis::auth::AuthError;
use chassis::directory::{Change, Directory, UserState};
use futures_util::future::BoxFuture;

use crate::Postgres;

/// The table, if it is not there.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS authbench_users (
    number bigint PRIMARY KEY,
    disabled boolean NOT NULL DEFAULT false,
    roles text[],
    password text,
    epoch bigint NOT NULL
)";

const READ: &str = "SELECT disabled, roles, password, epoch FROM authbench_users WHERE number = $1";
const CHANGE: &str = "INSERT INTO authbench_users AS old (number, disabled, roles, password, epoch)
    VALUES ($1, coalesce($2, false), $3, $4, 1)
    ON CONFLICT (number) DO UPDATE SET
        disabled = coalesce($2, old.disabled),
        roles = coalesce($3, old.roles),
        password = coalesce($4, old.password),
        epoch = old.epoch + 1
    WHERE $5::bigint IS NULL OR old.epoch = $5";

/// The changed users of a database.
pub struct PostgresDirectory(Arc<Postgres>);

impl PostgresDirectory {
    /// Opens this database and creates its table if necessary.
    pub async fn new(postgres: Arc<Postgres>) -> Result<Self, crate::StoreError> {
        postgres.create_if_missing(TABLE).await?;
        Ok(Self(postgres))
    }
}

impl PostgresDirectory {
    /// Changes a user, where an epoch is given only at that one; returns whether a row was written.
    async fn changed(&self, user: u32, epoch: Option<u64>, change: Change) -> Result<bool, AuthError> {
        let Change { disabled, roles, password } = change;
        let epoch = epoch.map(u64::cast_signed);
        let written = self.0.execute(CHANGE, &[&i64::from(user), &disabled, &roles, &password, &epoch]).await?;
        if written.rows == 0 && written.repeated {
            // The first attempt may have written it: a hash of a password is like no other.
            let row = self.0.row(READ, &[&i64::from(user)]).await?;
            return Ok(row.is_some_and(|row| password.is_some() && row.get::<_, Option<String>>(2) == password));
        }
        Ok(written.rows == 1)
    }
}

impl Directory for PostgresDirectory {
    fn user_state(&self, user: u32) -> BoxFuture<'_, Result<UserState, AuthError>> {
        Box::pin(async move {
            let row = self.0.row(READ, &[&i64::from(user)]).await?;
            Ok(row.map_or_else(UserState::default, |row| UserState {
                disabled: row.get(0),
                roles: row.get(1),
                password: row.get(2),
                epoch: row.get::<_, i64>(3).cast_unsigned(),
            }))
        })
    }

    fn change(&self, user: u32, change: Change) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(async move { self.changed(user, None, change).await.map(drop) })
    }

    fn change_at_epoch(&self, user: u32, epoch: u64, change: Change) -> BoxFuture<'_, Result<bool, AuthError>> {
        Box::pin(self.changed(user, Some(epoch), change))
    }
}
