//! A record is on disk whatever ends its run, and is not rewritten after every addition.

use engine::record::{FILE_NAME, Record, Status, read};
use experiments::Journal;
use tempfile::TempDir;

use crate::bed::record;

const ADDED: usize = 400;

/// Returns a journal with many quick additions, and how often it was written meanwhile.
fn busy(folder: &TempDir) -> (Journal, usize) {
    let mut journal = Journal::begin(folder.path().to_owned(), record()).unwrap();
    let last_written = || folder.path().join(FILE_NAME).metadata().unwrap().modified().unwrap();
    let (mut seen, mut written) = (last_written(), 1);
    for number in 0..ADDED {
        journal.omit(&number.to_string(), "a test").unwrap();
        written += usize::from(last_written() != seen);
        seen = last_written();
    }
    (journal, written)
}

fn on_disk(folder: &TempDir) -> Record {
    read(folder.path()).unwrap()
}

#[test]
fn writing_the_record_takes_a_small_part_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, written) = busy(&folder);
    assert!(written < ADDED / 4, "{written} times for {ADDED} additions");
    assert!(on_disk(&folder).omitted.len() < journal.record().omitted.len(), "or nothing is tested here");
}

#[test]
fn ended_journal_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = busy(&folder);
    journal.end(None).unwrap();
    assert_eq!(on_disk(&folder), *journal.record());
    assert_eq!(on_disk(&folder).run.status, Status::Complete);
}

#[test]
fn journal_of_a_panicking_run_lacks_only_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = busy(&folder);
    let known = journal.record().clone();
    drop(journal);
    assert_eq!(on_disk(&folder), known);
    assert!(matches!(on_disk(&folder).run.status, Status::Incomplete { .. }));
}
