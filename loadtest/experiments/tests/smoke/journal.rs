//! A record is on disk whatever ends its run, and is not rewritten after every addition.

use engine::record::{Record, Status};
use experiments::Journal;
use record_file::{FILE_NAME, read};
use tempfile::TempDir;

use crate::testbed::record;

const ADDITIONS: usize = 400;

/// Returns a journal with many quick additions, and how often it was written meanwhile.
fn filled_journal(folder: &TempDir) -> (Journal, usize) {
    let mut journal = Journal::begin(folder.path().to_owned(), record()).unwrap();
    let last_written = || folder.path().join(FILE_NAME).metadata().unwrap().modified().unwrap();
    let (mut seen, mut written) = (last_written(), 1);
    for number in 0..ADDITIONS {
        journal.omit(&number.to_string(), "a test").unwrap();
        written += usize::from(last_written() != seen);
        seen = last_written();
    }
    (journal, written)
}

fn read_from_disk(folder: &TempDir) -> Record {
    read(folder.path()).unwrap()
}

#[test]
fn writing_the_record_takes_a_small_part_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, written) = filled_journal(&folder);
    assert!(written < ADDITIONS / 4, "{written} times for {ADDITIONS} additions");
    assert!(read_from_disk(&folder).omitted.len() < journal.record().omitted.len(), "or nothing is tested here");
}

#[test]
fn ended_journal_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = filled_journal(&folder);
    journal.end(None).unwrap();
    assert_eq!(read_from_disk(&folder), *journal.record());
    assert_eq!(read_from_disk(&folder).run.status, Status::Complete);
}

#[test]
fn journal_of_a_panicking_run_lacks_only_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = filled_journal(&folder);
    let written = journal.record().clone();
    drop(journal);
    assert_eq!(read_from_disk(&folder), written);
    assert!(matches!(read_from_disk(&folder).run.status, Status::Incomplete { .. }));
}
