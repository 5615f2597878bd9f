//! Folders of other versions, and what an orderly stop says of the end of the journal.

use mq_broker::{
    Broker, BrokerOptions, Full, Subscribe,
    storage::{
        Storage,
        sim::{Disk, Seeded},
    },
};
use mq_core::{error::ErrorKind, message::Message};

use crate::world::{SEGMENT, open, options, runtime};

fn fixed(repair: bool) -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.spares = 0;
    options.auto_create = true;
    options.repair = repair;
    options
}

async fn publish(broker: &Broker, texts: &[&str]) {
    for text in texts {
        let message = Message::new(text.to_string());
        let stored = broker.publish("orders", &[message]).await;
        assert!(stored[0].is_ok(), "{stored:?}");
    }
}

fn count(broker: &Broker, name: &str) -> Option<u64> {
    let all = broker.destinations().into_iter();
    all.filter(|one| &*one.name == name)
        .find_map(|one| one.messages)
}

/// The complaint of a start.
fn refusal(disk: &Disk) -> String {
    format!("{:?}", open(disk, &fixed(false)).expect_err("refused"))
}

fn ending(disk: &Disk, end: &str) -> String {
    let mut names = disk.names().into_iter();
    names.find(|name| name.ends_with(end)).expect("there")
}

/// A file of the same kind and content in a later format, with a sound checksum.
fn later(disk: &Disk, end: &str) -> Vec<u8> {
    let mut bytes = disk.bytes(&ending(disk, end));
    bytes[7] = 4;
    if end == ".snapshot" {
        let len = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..len]);
        bytes[len..].copy_from_slice(&crc.to_le_bytes());
    } else if end == ".journal" {
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..64]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    } else {
        let crc = crc32c::crc32c(&bytes[..16]);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

#[test]
fn what_a_newer_version_has_written_is_refused_by_name_and_not_as_damage() {
    runtime().block_on(async {
        let disk = Disk::new();
        let broker = open(&disk, &fixed(false)).expect("empty");
        publish(&broker, &["a", "b"]).await;
        broker.close().await.expect("closed");
        for end in [".journal", ".snapshot", ".mark"] {
            let name = ending(&disk, end);
            let other = disk.image(1);
            other.put(&name, later(&disk, end));
            let said = refusal(&other);
            assert!(said.contains(&name) && said.contains("format 4"), "{said}");
            assert!(
                said.contains("up to 3") && said.contains("upgrade"),
                "{said}"
            );
            assert!(!said.contains("repair"), "{said}");
            // Nothing was changed, and the folder is free.
            assert_eq!(other.bytes(&name), later(&disk, end));
            other.put(&name, disk.bytes(&name));
            open(&other, &fixed(false)).expect("as it was");
        }
        let other = disk.image(1);
        other.lock().expect("free");
        other.set_note(b"format = 4\n").expect("written");
        other.unlock();
        let said = refusal(&other);
        assert!(said.contains("LOCK") && said.contains("format 4"), "{said}");
    });
}

const JOURNAL: &str = "00000000000000000000.journal";

/// The folder that an earlier format has left behind, after a crash, with the name of its snapshot.
fn of_format(format: u8) -> (Disk, &'static str) {
    let disk = Disk::new();
    let (journal, name, snapshot): (&[u8], _, &[u8]) = match format {
        1 => (
            include_bytes!("../fixtures/v1/00000000000000000000.journal"),
            "00000000000000003000.snapshot",
            include_bytes!("../fixtures/v1/00000000000000003000.snapshot"),
        ),
        _ => (
            include_bytes!("../fixtures/v2/00000000000000000000.journal"),
            "00000000000000002048.snapshot",
            include_bytes!("../fixtures/v2/00000000000000002048.snapshot"),
        ),
    };
    disk.put(JOURNAL, journal.to_vec());
    disk.put(name, snapshot.to_vec());
    (disk, name)
}

#[test]
fn a_folder_of_an_earlier_version_goes_on_with_or_without_its_snapshot() {
    runtime().block_on(async {
        for (format, with_snapshot) in [(1, true), (1, false), (2, true), (2, false)] {
            let (disk, snapshot) = of_format(format);
            if !with_snapshot {
                disk.take(snapshot);
            }
            for _ in 0..3 {
                let broker = open(&disk, &fixed(false)).expect("read");
                check(&broker, format).await;
                broker.close().await.expect("closed");
            }
            let broker = open(&disk, &fixed(false)).expect("read");
            publish(&broker, &["new"]).await;
            let (old, fixture) = (disk.bytes(JOURNAL), of_format(format).0.bytes(JOURNAL));
            assert_eq!(old, fixture, "nothing is added to a file of another format");
            let left = disk.killed();
            drop(broker);
            let broker = open(&left, &fixed(false)).expect("both formats in one journal");
            assert!(broker.inspect().0 > SEGMENT);
            check(&broker, format).await;
            // A publisher that was opened without an epoch has one owner from now on.
            let [first, second] = [(); 2].map(|()| broker.publisher("shop"));
            let (first, second) = (first.await.expect("open"), second.await.expect("open"));
            let bill = [Message::new("bill 4")];
            let late = first.publish("bills", 3, &bill).await.remove(0);
            assert_eq!(late.expect_err("fenced").kind(), ErrorKind::Lost);
            assert!(second.publish("bills", 3, &bill).await[0].is_ok());
        }
    });
}

async fn check(broker: &Broker, format: u8) {
    let options = broker.destination("orders").expect("there");
    assert_eq!((options.partitions, options.retain), (2, 3));
    assert_eq!((options.max_messages, options.full), (50, Full::Reject));
    let attempts = if format > 1 { 9 } else { 0 };
    assert_eq!((options.max_attempts, options.max_age), (attempts, None));
    let last = |name| {
        let mut all = broker.publishers().into_iter();
        all.find(|one| &*one.name == name)
            .map(|one| (one.last, one.epoch))
    };
    assert_eq!(
        (last("shop"), count(broker, "bills")),
        (Some((2, 0)), Some(3))
    );
    assert_eq!(last("till"), (format > 1).then_some((5, 0)));
    let audit = Subscribe::to("bills").group("audit");
    let mut audit = broker.subscribe(&audit).await.expect("joined");
    assert_eq!(audit.receive(9).await.expect("two").len(), 2);
    let billing = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&billing).await.expect("joined");
    let mut attempts = Vec::new();
    while attempts.len() < 2 {
        let got = billing.receive(100).await.expect("messages");
        let known = got.iter().filter(|one| one.attempts() > 0);
        attempts.extend(known.map(|one| (one.message().as_bytes().to_vec(), one.attempts())));
    }
    attempts.sort();
    let expected = [(b"order 4".to_vec(), 2), (b"order 5".to_vec(), 3)];
    assert_eq!(attempts, expected);
}

/// A folder without a snapshot, closed in an orderly way or not, and where its last frame begins.
async fn stopped(orderly: bool) -> (Disk, usize, usize) {
    let disk = Disk::new();
    let broker = open(&disk, &fixed(false)).expect("empty");
    publish(&broker, &["a", "b"]).await;
    let (begin, _) = broker.inspect();
    publish(&broker, &["c"]).await;
    let (end, _) = broker.inspect();
    let crashed = disk.killed();
    broker.close().await.expect("closed");
    let disk = if orderly { disk } else { crashed };
    let snapshots: Vec<_> = disk
        .names()
        .into_iter()
        .filter(|name| name.ends_with("snapshot"))
        .collect();
    snapshots.iter().for_each(|name| disk.take(name));
    let bounds = [begin, end].map(|lsn| usize::try_from(lsn).expect("small"));
    (disk.image(1), bounds[0], bounds[1])
}

#[test]
fn rot_of_the_last_frame_after_an_orderly_stop_is_damage_and_after_a_crash_a_torn_end() {
    runtime().block_on(async {
        let (clean, begin, end) = stopped(true).await;
        let (crashed, ..) = stopped(false).await;
        let journal = ending(&clean, ".journal");
        for at in begin..end - 8 {
            for (disk, is_clean) in [(&clean, true), (&crashed, false)] {
                let damaged = disk.image(1);
                let mut bytes = damaged.bytes(&journal);
                bytes[at] ^= 1 << (at % 8);
                damaged.put(&journal, bytes);
                match open(&damaged.image(1), &fixed(false)) {
                    Ok(broker) => {
                        assert!(!is_clean, "byte {at} was left out without a word");
                        assert_eq!(count(&broker, "orders"), Some(2));
                    }
                    Err(error) => {
                        assert!(is_clean, "byte {at}: {error:?}");
                        let said = format!("{error:?}");
                        assert!(said.contains(&journal) && said.contains("offset"), "{said}");
                    }
                }
            }
        }
    });
}

#[test]
fn an_end_that_is_cut_off_after_an_orderly_stop_is_damage_until_it_is_repaired() {
    runtime().block_on(async {
        let (clean, begin, _) = stopped(true).await;
        let journal = ending(&clean, ".journal");
        for len in [begin, begin + 20, 64, 0] {
            let damaged = clean.image(1);
            let mut bytes = damaged.bytes(&journal);
            bytes.truncate(len);
            damaged.put(&journal, bytes);
            let said = refusal(&damaged);
            assert!(said.contains(&journal), "{said}");
            let broker = open(&damaged, &fixed(true)).expect("repaired");
            publish(&broker, &["d"]).await;
            drop(broker);
            let broker = open(&damaged, &fixed(false)).expect("repaired for good");
            let left = if len < begin { 1 } else { 3 };
            assert_eq!(count(&broker, "orders"), Some(left), "{len}");
        }
        clean.take(&journal);
        assert!(refusal(&clean).contains(&journal));
    });
}
