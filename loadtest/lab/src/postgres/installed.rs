//! The `PostgreSQL` that is installed: its programs, the user that it runs as, and fresh databases.

use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::{Uid, User};

use super::PostgresError;
use crate::child::Account;

/// Where Debian and its derivatives keep the programs, which are not in PATH.
const PACKAGE_DIR: &str = "/usr/lib/postgresql";
/// The users that may run it where this program runs as root.
const UNPRIVILEGED_USERS: [&str; 2] = ["postgres", "nobody"];

/// Returns the user that it runs as, with the user's name; none where that is the user of this program.
///
/// It does not run as root: then it is the user that its package has created, or `nobody`.
pub fn unprivileged() -> Result<Option<(Account, String)>, PostgresError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = UNPRIVILEGED_USERS.into_iter().find_map(|name| User::from_name(name).ok().flatten());
    let user = user.ok_or(PostgresError::NoAccount)?;
    Ok(Some((Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() }, user.name)))
}

/// Creates the directory, owned by the user that the database runs as, who can traverse the parent directory.
pub fn prepare(folder: &Path, account: Option<&(Account, String)>) -> Result<(), PostgresError> {
    let failed = |source| PostgresError::Folder { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let Some((account, _)) = account else { return Ok(()) };
    chown(folder, Some(account.uid), Some(account.gid)).map_err(failed)?;
    if let Some(parent) = folder.parent() {
        let mut permissions = std::fs::metadata(parent).map_err(failed)?.permissions();
        permissions.set_mode(permissions.mode() | 0o011);
        std::fs::set_permissions(parent, permissions).map_err(failed)?;
    }
    Ok(())
}

/// Creates a new database cluster in `data`, whose owner is `authbench`.
pub fn init(data: &Path, account: Option<&(Account, String)>) -> Result<(), PostgresError> {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program("initdb"));
    command.arg("-D").arg(data).args(["-U", "authbench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    if let Some((account, _)) = account {
        command.uid(account.uid).gid(account.gid).current_dir("/");
    }
    let output = command.output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => PostgresError::Missing,
        _ => PostgresError::Folder { path: data.to_owned(), source },
    })?;
    if output.status.success() {
        return Ok(());
    }
    let user = account.map_or_else(|| "this user".to_owned(), |(_, name)| name.clone());
    Err(PostgresError::Init { output: last_line(&output), user, path: data.to_owned() })
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no output").to_owned()
}

/// Returns a program such as `psql`: of the newest version that is packaged, or the one in PATH.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir(PACKAGE_DIR).into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let found = numbered.map(|(version, path)| (version, path.join("bin").join(name)));
    found.filter(|(_, path)| path.exists()).max().map_or_else(|| name.into(), |(_, path)| path)
}
