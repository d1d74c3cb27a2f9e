//! Stale scratch folders go, all others stay.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lab::scratch::Scratch;

fn folder(parent: &Path, name: &str, lock: bool) -> PathBuf {
    let folder = parent.join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("data"), "x").unwrap();
    if lock {
        fs::write(folder.join("lock"), "").unwrap();
    }
    folder
}

fn make_old(folder: &Path) {
    File::open(folder).unwrap().set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
}

#[test]
fn locked_directory_stays_and_stale_one_is_removed() {
    let parent = tempfile::tempdir().unwrap();
    let held = Scratch::new_in(parent.path()).unwrap();
    fs::write(held.path().join("data"), "x").unwrap();
    let stale = folder(parent.path(), "authbench-4711-aB3xYz", true);
    assert_eq!(Scratch::reclaim_in(parent.path()), [stale]);
    assert!(held.path().join("data").exists());
    let path = held.path().to_owned();
    drop(held);
    assert!(!path.exists());
}

#[test]
fn unlocked_directory_is_removed_only_when_old() {
    let parent = tempfile::tempdir().unwrap();
    let young = folder(parent.path(), "authbench-4711-young", false);
    assert!(Scratch::reclaim_in(parent.path()).is_empty());
    make_old(&young);
    assert_eq!(Scratch::reclaim_in(parent.path()), [young]);
}

#[test]
fn foreign_directories_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = folder(elsewhere.path(), "target", true);
    make_old(&folder(parent.path(), "authbench-notes", true));
    make_old(&folder(parent.path(), "other-4711-abc", true));
    fs::write(parent.path().join("authbench-4711-file"), "").unwrap();
    std::os::unix::fs::symlink(&target, parent.path().join("authbench-4711-link")).unwrap();
    if nix::unistd::geteuid().is_root() {
        // Only root can make a folder of another user to try this on.
        let foreign = folder(parent.path(), "authbench-4711-theirs", true);
        std::os::unix::fs::chown(foreign, Some(65_534), None).unwrap();
    }
    assert!(Scratch::reclaim_in(parent.path()).is_empty());
    assert!(target.join("data").exists());
}

#[test]
fn concurrent_starts_keep_each_others_directories() {
    let parent = tempfile::tempdir().unwrap();
    let start_often = || {
        for _ in 0..300 {
            let scratch = Scratch::new_in(parent.path()).unwrap();
            let _ = Scratch::reclaim_in(parent.path());
            assert!(scratch.path().join("lock").exists(), "{:?} was removed", scratch.path());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(start_often);
        }
    });
}

#[test]
fn unwritable_parent_is_named_in_the_error() {
    let error = Scratch::new_in(Path::new("/dev/null/nowhere")).unwrap_err().to_string();
    assert!(error.contains("/dev/null/nowhere") && error.contains("TMPDIR"), "{error}");
}
