//! Sessions in `PostgreSQL`: one row per session, its key the primary key, its user indexed.
//!
//! Deadlines are stored in the server's own seconds, and no statement here returns a row whose deadline has
//! passed. Inserts delete expired rows now and then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chassis::auth::UnixSeconds;
use stores::Postgres;

use super::{NewSession, SessionStore, StoreError};
use crate::Key;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS authbench_sessions (
    key bytea PRIMARY KEY,
    user_number bigint NOT NULL,
    payload bytea NOT NULL,
    deadline bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS authbench_sessions_by_user ON authbench_sessions (user_number);
CREATE INDEX IF NOT EXISTS authbench_sessions_by_deadline ON authbench_sessions (deadline)";

const READ: &str = "SELECT payload FROM authbench_sessions WHERE key = $1 AND deadline > $2";
const READ_EXTENDING: &str =
    "UPDATE authbench_sessions SET deadline = $3 WHERE key = $1 AND deadline > $2 RETURNING payload";
const SET_DEADLINE: &str = "UPDATE authbench_sessions SET deadline = $3 WHERE key = $1 AND deadline > $2";
const REWRITE: &str = "UPDATE authbench_sessions SET payload = $4, deadline = $3 WHERE key = $1 AND deadline > $2";
/// Keys are random: an existing one was inserted by the same call, whose response was lost.
const INSERT: &str = "INSERT INTO authbench_sessions (key, user_number, payload, deadline) VALUES ($1, $2, $3, $4)
    ON CONFLICT (key) DO NOTHING";
/// One statement, and so at one instant: a logout of all that comes before it leaves nothing to replace, and one that
/// comes after it finds the new row, because the old row's lock makes it wait.
const REPLACE: &str = "UPDATE authbench_sessions SET key = $3, payload = $4, deadline = $5
    WHERE key = $1 AND deadline > $2";
const EXISTS: &str = "SELECT 1 FROM authbench_sessions WHERE key = $1";
const REMOVE: &str = "DELETE FROM authbench_sessions WHERE key = $1";
const REMOVE_ALL: &str = "DELETE FROM authbench_sessions WHERE user_number = $1";
/// An expired row that no session has: writing it takes the same path as a login, and a purge removes it.
const PROBE: &str = "INSERT INTO authbench_sessions (key, user_number, payload, deadline) VALUES ('', -1, '', 0)
    ON CONFLICT (key) DO UPDATE SET deadline = 0";
/// In portions, so that no login pays for all of them.
const PURGE: &str = "DELETE FROM authbench_sessions WHERE key IN
    (SELECT key FROM authbench_sessions WHERE deadline <= $1 ORDER BY deadline LIMIT 5000)";

/// Seconds between two purges by one server.
const PURGE_INTERVAL_S: u64 = 1;

/// For how long a failed login counts as a sign that the next one will fail.
const REJECTION_WINDOW: Duration = Duration::from_secs(10);

/// Sessions in a database.
pub struct PostgresStore {
    postgres: Arc<Postgres>,
    purge_at: AtomicU64,
    write_rejection: Mutex<Option<(Instant, StoreError)>>,
}

impl PostgresStore {
    /// Opens this database and creates its table if necessary.
    pub async fn new(postgres: Arc<Postgres>) -> Result<Self, StoreError> {
        postgres.create_if_missing(TABLE).await?;
        Ok(Self { postgres, purge_at: AtomicU64::new(0), write_rejection: Mutex::default() })
    }

    /// Records whether the last session could be stored.
    fn record_rejection(&self, stored: Result<(), StoreError>) -> Result<(), StoreError> {
        let write_rejection = stored.as_ref().err().filter(|error| matches!(error, StoreError::NotWritable(_)));
        *self.write_rejection() = write_rejection.map(|error| (Instant::now(), error.clone()));
        stored
    }

    fn write_rejection(&self) -> MutexGuard<'_, Option<(Instant, StoreError)>> {
        self.write_rejection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn purge_if_due(&self, now: UnixSeconds) -> Result<(), StoreError> {
        let due = self.purge_at.load(Ordering::Relaxed) <= now;
        if due && self.purge_at.swap(now + PURGE_INTERVAL_S, Ordering::Relaxed) <= now {
            self.postgres.execute(PURGE, &[&seconds(now)]).await?;
        }
        Ok(())
    }
}

/// As the database has it: it knows no unsigned numbers.
const fn seconds(seconds: UnixSeconds) -> i64 {
    seconds.cast_signed()
}

impl SessionStore for PostgresStore {
    async fn insert(&self, session: NewSession<'_>) -> Result<(), StoreError> {
        let NewSession { key, user, payload, now, ttl_s, .. } = session;
        self.purge_if_due(now).await?;
        let (user, deadline) = (i64::from(user), seconds(now + ttl_s));
        let stored = self.postgres.execute(INSERT, &[&key.bytes().as_slice(), &user, &payload, &deadline]).await;
        self.record_rejection(stored.map(drop))
    }

    async fn read(&self, key: &Key, now: UnixSeconds) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.postgres.row(READ, &[&key.bytes().as_slice(), &seconds(now)]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn read_extending(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let deadline = seconds(now + ttl_s);
        let row = self.postgres.row(READ_EXTENDING, &[&key.bytes().as_slice(), &seconds(now), &deadline]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn set_deadline(&self, key: &Key, now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        let deadline = seconds(now + ttl_s);
        self.postgres.execute(SET_DEADLINE, &[&key.bytes().as_slice(), &seconds(now), &deadline]).await?;
        Ok(())
    }

    async fn rewrite(&self, key: &Key, payload: &[u8], now: UnixSeconds, ttl_s: u64) -> Result<(), StoreError> {
        let deadline = seconds(now + ttl_s);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&key.bytes().as_slice(), &seconds(now), &deadline, &payload];
        self.postgres.execute(REWRITE, &parameters).await?;
        Ok(())
    }

    async fn replace(&self, old: &Key, new: NewSession<'_>) -> Result<bool, StoreError> {
        let NewSession { key, payload, now, ttl_s, .. } = new;
        let (old, key, deadline) = (old.bytes().as_slice(), key.bytes().as_slice(), seconds(now + ttl_s));
        let replaced = self.postgres.execute(REPLACE, &[&old, &seconds(now), &key, &payload, &deadline]).await?;
        if replaced.rows == 0 && replaced.repeated {
            // Gone, or replaced by the first attempt: nothing else puts this session there.
            return Ok(self.postgres.row(EXISTS, &[&key]).await?.is_some());
        }
        Ok(replaced.rows > 0)
    }

    async fn remove(&self, key: &Key, _: u32) -> Result<bool, StoreError> {
        let removed = self.postgres.execute(REMOVE, &[&key.bytes().as_slice()]).await?;
        // The first attempt may have removed it.
        Ok(removed.rows > 0 || removed.repeated)
    }

    async fn remove_all(&self, user: u32) -> Result<(), StoreError> {
        self.postgres.execute(REMOVE_ALL, &[&i64::from(user)]).await?;
        Ok(())
    }

    /// On a full disk a small row may still fit into a page where a login does not. So a failed login
    /// counts, too, until one succeeds or a while has passed.
    async fn probe(&self) -> Result<(), StoreError> {
        self.postgres.execute(PROBE, &[]).await?;
        let write_rejection = self.write_rejection().clone().filter(|(at, _)| at.elapsed() < REJECTION_WINDOW);
        write_rejection.map_or(Ok(()), |(_, error)| Err(error))
    }
}
