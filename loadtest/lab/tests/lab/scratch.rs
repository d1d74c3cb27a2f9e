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
fn a_held_folder_stays_and_a_stale_one_goes() {
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
fn a_folder_without_a_lock_goes_only_when_it_is_old() {
    let parent = tempfile::tempdir().unwrap();
    let young = folder(parent.path(), "authbench-4711-young", false);
    assert!(Scratch::reclaim_in(parent.path()).is_empty());
    make_old(&young);
    assert_eq!(Scratch::reclaim_in(parent.path()), [young]);
}

#[test]
fn what_is_not_ours_stays() {
    let parent = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = folder(elsewhere.path(), "target", true);
    make_old(&folder(parent.path(), "authbench-notes", true));
    make_old(&folder(parent.path(), "other-4711-abc", true));
    fs::write(parent.path().join("authbench-4711-file"), "").unwrap();
    std::os::unix::fs::symlink(&target, parent.path().join("authbench-4711-link")).unwrap();
    if nix::unistd::geteuid().is_root() {
        // Only root can make a folder of another user to try this on.
        let theirs = folder(parent.path(), "authbench-4711-theirs", true);
        std::os::unix::fs::chown(theirs, Some(65_534), None).unwrap();
    }
    assert!(Scratch::reclaim_in(parent.path()).is_empty());
    assert!(target.join("data").exists());
}

#[test]
fn those_who_start_at_once_do_not_take_each_others_folders() {
    let parent = tempfile::tempdir().unwrap();
    let start_often = || {
        for _ in 0..300 {
            let own = Scratch::new_in(parent.path()).unwrap();
            let _ = Scratch::reclaim_in(parent.path());
            assert!(own.path().join("lock").exists(), "{:?} was removed", own.path());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(start_often);
        }
    });
}

#[test]
fn a_parent_that_cannot_be_written_is_named() {
    let error = Scratch::new_in(Path::new("/dev/null/nowhere")).unwrap_err().to_string();
    assert!(error.contains("/dev/null/nowhere") && error.contains("TMPDIR"), "{error}");
}
