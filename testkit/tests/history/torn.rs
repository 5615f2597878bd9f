//! Logs whose writers died, and logs that were changed.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use mq_testkit::history::{Checker, Entry, Id, Log, LogReport, Report};

use crate::{check, tick};

const HEADER: usize = 128;
const FRAME: usize = 72;

/// A log of ten messages that were sent and took effect, and its path.
fn log(folder: &Path) -> PathBuf {
    let log = Log::create(folder, "all").unwrap();
    for number in 0..10 {
        let id = Id::new(number.into());
        log.append_at(tick(2 * number), Entry::sending(id)).unwrap();
        log.append_at(tick(2 * number + 1), Entry::effect(id))
            .unwrap();
    }
    log.path().to_owned()
}

/// The report after the bytes of the log were changed.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    check(&Checker::new(), folder.path())
}

#[track_caller]
fn assert_log(log: &LogReport, entries: u64, torn: u64, damaged: u64) {
    assert_eq!(
        (log.entries, log.torn, log.damaged),
        (entries, torn, damaged),
        "{log}"
    );
}

#[test]
fn a_cut_at_every_byte_leaves_the_whole_entries() {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path());
    for length in (0..HEADER + 20 * FRAME).rev() {
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length as u64)
            .unwrap();
        let report = check(&Checker::new(), folder.path());
        let body = length.saturating_sub(HEADER);
        let torn = if length < HEADER {
            length
        } else {
            body % FRAME
        };
        assert_log(&report.logs[0], (body / FRAME) as u64, torn as u64, 0);
        assert!(report.is_sound() && report.findings.is_empty());
    }
}

#[test]
fn a_tail_of_garbage_is_torn_whatever_its_length() {
    for length in [1, 71, 72, 73, 500, 1_000_000] {
        let report = changed(|bytes| bytes.extend(std::iter::repeat_n(0xA5, length)));
        assert_log(&report.logs[0], 20, length as u64, 0);
        assert!(report.is_sound());
    }
}

#[test]
fn a_tail_of_zeros_is_torn() {
    let report = changed(|bytes| bytes[HEADER + 17 * FRAME..].fill(0));
    assert_log(&report.logs[0], 17, 3 * FRAME as u64, 0);
}

#[test]
fn a_changed_entry_in_the_middle_is_damage_and_the_ones_behind_it_are_read() {
    let report = changed(|bytes| bytes[HEADER + 4 * FRAME + 20] ^= 1);
    assert_log(&report.logs[0], 19, 0, 1);
    assert!(!report.is_sound());
    assert_eq!(report.summary.phantom, 1);
    assert!(report.to_string().contains("1 damaged entries ignored"));
}

#[test]
fn entries_that_changed_places_are_damage() {
    let report = changed(|bytes| {
        let (left, right) = bytes[HEADER..].split_at_mut(5 * FRAME);
        left[..FRAME].swap_with_slice(&mut right[..FRAME]);
    });
    assert_log(&report.logs[0], 18, 0, 2);
}

#[test]
fn a_damaged_header_costs_only_the_name() {
    let report = changed(|bytes| bytes[30] ^= 1);
    assert_log(&report.logs[0], 20, 0, 1);
    assert_eq!(&*report.logs[0].process, "all-0");
}

#[test]
fn another_file_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.history");
    fs::write(&path, [b'x'; 300]).unwrap();
    let error = Checker::new().check([&path]).unwrap_err();
    assert!(
        error.chain().contains("not a log of a history"),
        "{}",
        error.chain()
    );
    assert!(error.chain().contains("notes.history"), "{}", error.chain());
}

#[test]
fn a_missing_log_is_an_error() {
    assert!(Checker::new().check(["no-such.history"]).is_err());
}

#[test]
fn a_log_that_is_given_twice_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = log(folder.path());
    let other = folder.path().join(".").join(path.file_name().unwrap());
    let error = Checker::new().check([path, other]).unwrap_err();
    assert!(error.chain().contains("given twice"), "{}", error.chain());
}

#[test]
fn two_thousand_logs_are_no_more_open_files_than_one() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..2000_u64 {
        let log = Log::create(folder.path(), &format!("sink{number}")).unwrap();
        log.append_at(tick(number), Entry::effect(Id::new(number.into())))
            .unwrap();
    }
    assert_eq!(check(&Checker::new(), folder.path()).summary.phantom, 2000);
}
