//! The writer: one log for each start, times that rise, entries that outlive the process.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use mq_testkit::history::{Checker, Entry, Id, Key, Log, logs_in};

use crate::{check, tick};

/// Set for the child that appends until it is killed.
const CHILD: &str = "MQ_HISTORY_CHILD";

#[test]
fn each_start_has_a_log_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..3)
        .map(|_| {
            Log::create(folder.path(), "a/b c")
                .unwrap()
                .path()
                .file_name()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        names,
        ["a_b_c-0.history", "a_b_c-1.history", "a_b_c-2.history"]
    );
}

#[test]
fn other_files_in_the_folder_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server.log"), "x").unwrap();
    Log::create(folder.path(), "a").unwrap();
    assert_eq!(logs_in(folder.path()).unwrap().len(), 1);
}

#[test]
fn times_rise_within_a_log_though_the_clock_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), "sink").unwrap();
    let key = Key::new(1);
    let (first, second) = (Id::new(1), Id::new(2));
    log.append_all(&[
        Entry::sending(first).keyed(key, 1),
        Entry::sending(second).keyed(key, 2),
    ])
    .unwrap();
    log.append_at(tick(u64::from(u32::MAX) * 1000), Entry::seen(first))
        .unwrap();
    log.append_at(UNIX_EPOCH, Entry::seen(second)).unwrap();
    log.append_at(UNIX_EPOCH - Duration::from_secs(9), Entry::seen(second))
        .unwrap();
    log.sync().unwrap();
    let report = check(&Checker::new(), folder.path());
    assert_eq!(
        (report.summary.reordered, report.summary.redelivered),
        (0, 1)
    );
}

#[test]
fn threads_share_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), "sink").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..500 {
                    let id = Id::new(thread << 64 | number);
                    log.append(Entry::confirmed(id)).unwrap();
                    log.append_all(&[Entry::seen(id), Entry::effect(id)])
                        .unwrap();
                }
            });
        }
    });
    let report = check(&Checker::new(), folder.path());
    assert_eq!((report.logs[0].entries, report.ok), (6000, 2000));
    assert!(report.is_sound() && report.logs[0].torn == 0);
}

#[test]
fn ids_and_keys_are_read_as_they_are_written() {
    let id = Id::of("order-7");
    assert_eq!(id.to_string().parse::<Id>().unwrap(), id);
    let uuid: Id = "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap();
    assert_eq!(uuid.to_u128(), 0x0190_163d_8694_739b_aea5_966c_26f8_ad91);
    for bad in ["", "xyz", "+1", &"1".repeat(33)] {
        assert!(bad.parse::<Key>().is_err(), "{bad}");
    }
}

/// The child of the test below: says on its output what it wrote, after it wrote it.
#[test]
fn child_appends_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "only the parent's test sets it")]
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let log = Log::create(folder, "child").unwrap();
    let progress = fs::File::create(log.path().with_extension("count")).unwrap();
    for number in 0_u64.. {
        log.append(Entry::sending(Id::new(number.into()))).unwrap();
        progress.set_len(number + 1).unwrap();
    }
}

#[test]
fn a_killed_writer_loses_no_entry_that_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    for start in 0..5 {
        let count = folder.path().join(format!("child-{start}.count"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer::child_appends_until_it_is_killed"])
            .env(CHILD, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while fs::metadata(&count).map_or(0, |found| found.len()) < 200 {
            assert!(child.try_wait().unwrap().is_none(), "the child ended");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let wrote = fs::metadata(&count).unwrap().len();
        let logs = logs_in(folder.path()).unwrap();
        let report = Checker::new().check(&logs[start..]).unwrap();
        let entries = report.logs[0].entries;
        assert!(
            entries == wrote || entries == wrote + 1,
            "{entries} of {wrote}"
        );
        assert!(report.is_sound());
    }
}
