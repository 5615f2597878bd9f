//! Disks that change what they were given: every change is noticed, and what is sound can still be had.

use mq_broker::{
    Broker, BrokerOptions, DestinationOptions, Durability, Subscribe,
    storage::sim::{Disk, Seeded},
};
use mq_core::{binder::Cursor, message::Message};

use crate::world::{SEGMENT, body, open, options, runtime};

const MESSAGES: u64 = 50;

fn fixed(repair: bool) -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.repair = repair;
    options.spares = 0;
    options.auto_create = true;
    options
}

fn size(id: u64) -> usize {
    if id.is_multiple_of(7) { 9_000 } else { 3_000 }
}

async fn publish(broker: &Broker, ids: std::ops::Range<u64>) {
    for id in ids {
        let message = Message::new(body(id, size(id)));
        for result in broker.publish("orders", &[message]).await {
            result.expect("stored");
        }
    }
}

/// A folder with some segments and no snapshot; the frames are one message each, and some acknowledgements.
async fn folder() -> Disk {
    let disk = Disk::new();
    let broker = open(&disk, &fixed(false)).expect("empty");
    let created = broker
        .create("orders", &DestinationOptions::default())
        .await;
    created.expect("created");
    let subscribe = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&subscribe).await.expect("joined");
    publish(&broker, 0..MESSAGES / 2).await;
    let some = billing.receive(4).await.expect("messages");
    billing.ack(&some).await.expect("acknowledged");
    publish(&broker, MESSAGES / 2..MESSAGES).await;
    disk.killed().image(1)
}

/// The numbers of all messages that can be read, in order; a body that is not what was written fails.
async fn served(broker: &Broker) -> Vec<u64> {
    let browsed = broker
        .browse("orders", &mut Cursor::default(), usize::MAX)
        .await;
    let Ok(browsed) = browsed else {
        return Vec::new();
    };
    let each = browsed.iter().map(|one| {
        let bytes = one.message.as_bytes();
        let id = u64::from_le_bytes(bytes[..8].try_into().expect("a number"));
        assert!(bytes == body(id, size(id)), "a body that nobody wrote");
        id
    });
    each.collect()
}

/// What opening says of a damaged disk: the messages, or the complaint.
async fn look(disk: &Disk, repair: bool) -> Result<Vec<u64>, String> {
    match open(&disk.killed(), &fixed(repair)) {
        Ok(broker) => Ok(served(&broker).await),
        Err(error) => Err(format!("{error:?}")),
    }
}

fn copy(disk: &Disk, name: &str, bytes: Vec<u8>) -> Disk {
    let copy = disk.image(1);
    copy.put(name, bytes);
    copy
}

fn flipped(disk: &Disk, name: &str, at: usize, bit: u8) -> Disk {
    let mut bytes = disk.bytes(name);
    bytes[at] ^= 1 << bit;
    copy(disk, name, bytes)
}

/// Places in a file: all of its first bytes, and some of all others.
fn places(len: usize) -> Vec<usize> {
    (0..192)
        .chain((192..len).step_by(1_021))
        .filter(|at| *at < len)
        .collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "how much was tried is worth knowing")]
fn a_flipped_bit_is_refused_by_name_or_costs_only_the_last_frame() {
    let (mut refused, mut harmless, mut shorter) = (0, 0, 0);
    runtime().block_on(async {
        let disk = folder().await;
        let all: Vec<u64> = (0..MESSAGES).collect();
        for name in disk.names() {
            for at in places(disk.bytes(&name).len()) {
                let damaged = flipped(&disk, &name, at, (at % 8) as u8);
                match look(&damaged, false).await {
                    Ok(served) if served == all => harmless += 1,
                    // Of the last frame nobody can tell whether it was durable.
                    Ok(served) if served == all[..all.len() - 1] => shorter += 1,
                    Ok(served) => panic!("{name} at {at}: {served:?} are left, and no complaint"),
                    Err(said) => {
                        assert!(said.contains(&name) && said.contains("offset"), "{said}");
                        let rest = look(&damaged, true).await.expect("repaired");
                        let lost = all.iter().filter(|id| !rest.contains(id)).count();
                        // A segment without a header is lost, and with the first frames what all others are about.
                        let is_first = at < 300 && name.starts_with("00000000000000000000");
                        let within = if is_first { all.len() } else { 20 };
                        assert!(
                            lost <= if at < 64 || is_first { within } else { 1 },
                            "{name} at {at}: {lost}"
                        );
                        refused += 1;
                    }
                }
            }
        }
    });
    println!("{refused} flips refused, {harmless} in unused bytes, {shorter} in the last frame");
    assert!(refused > 300 && shorter < 60, "{refused} {shorter}");
}

#[test]
fn repair_is_for_good_and_hands_out_again_what_may_not_have_been_settled() {
    runtime().block_on(async {
        let disk = folder().await;
        let first = disk.names()[0].clone();
        let damaged = flipped(&disk, &first, 20_000, 3);
        let broker = open(&damaged, &fixed(true)).expect("repaired");
        let left = served(&broker).await;
        assert_eq!(left.len() as u64, MESSAGES - 1);
        let subscribe = Subscribe::to("orders").group("billing");
        let mut billing = broker.subscribe(&subscribe).await.expect("joined");
        let mut count = 0;
        while count < left.len() {
            count += billing.receive(100).await.expect("messages").len();
        }
        publish(&broker, MESSAGES..MESSAGES + 1).await;
        drop((billing, broker));
        let broker = open(&damaged.image(0), &fixed(false)).expect("nothing is damaged any more");
        assert_eq!(served(&broker).await.len(), left.len() + 1);
    });
}

#[test]
fn missing_doubled_and_renamed_segments_are_refused_by_name() {
    runtime().block_on(async {
        let disk = folder().await;
        let names = disk.names();
        assert!(names.len() > 3, "{names:?}");
        for missing in &names[..names.len() - 1] {
            let damaged = disk.image(1);
            damaged.take(missing);
            let said = look(&damaged, false).await.expect_err("refused");
            assert!(said.contains(missing.as_str()), "{said}");
            look(&damaged, true).await.expect("repaired");
        }
        let last = names.last().expect("some");
        let beyond = format!("{:020}.journal", 50 * SEGMENT);
        let renamed = copy(&disk, &beyond, disk.bytes(last));
        renamed.take(last);
        let said = look(&renamed, false).await.expect_err("refused");
        assert!(said.contains(&beyond), "{said}");
        // A copy beside the original harms nobody.
        let doubled = copy(&disk, &beyond, disk.bytes(&names[1]));
        assert_eq!(
            look(&doubled, false).await.expect("fine").len() as u64,
            MESSAGES
        );
        let swapped = copy(&disk, &names[1], disk.bytes(&names[2]));
        let said = look(&swapped, false).await.expect_err("refused");
        assert!(said.contains(&names[1]), "{said}");
    });
}

#[test]
fn damaged_snapshots_fall_back_to_older_ones_and_to_the_journal() {
    runtime().block_on(async {
        let base = folder().await;
        let broker = open(&base, &fixed(false)).expect("sound");
        broker.checkpoint().expect("a snapshot");
        publish(&broker, MESSAGES..MESSAGES + 3).await;
        broker.checkpoint().expect("a snapshot");
        publish(&broker, MESSAGES + 3..MESSAGES + 5).await;
        let disk = base.killed();
        drop(broker);
        // The first four are settled, and have made way.
        let all: Vec<u64> = (4..MESSAGES + 5).collect();
        let snapshots: Vec<String> = disk
            .names()
            .into_iter()
            .filter(|name| name.ends_with("snapshot"))
            .collect();
        assert_eq!(snapshots.len(), 2);
        for name in &snapshots {
            for at in places(disk.bytes(name).len()).into_iter().step_by(5) {
                let damaged = flipped(&disk, name, at, (at % 8) as u8);
                assert_eq!(
                    look(&damaged, false).await.expect("another one"),
                    all,
                    "{name} at {at}"
                );
            }
        }
        let neither = copy(&disk, &snapshots[0], vec![0; 100]);
        neither.put(&snapshots[1], Vec::new());
        assert_eq!(look(&neither, false).await.expect("the journal"), all);
        let journal = disk.names()[0].clone();
        neither.take(&journal);
        let said = look(&neither, false).await.expect_err("refused");
        assert!(said.contains(&journal), "{said}");
    });
}

#[test]
fn a_snapshot_that_is_newer_than_the_journal_is_refused() {
    runtime().block_on(async {
        let disk = folder().await;
        let broker = open(&disk, &fixed(false)).expect("sound");
        broker.checkpoint().expect("a snapshot");
        drop(broker);
        let journals: Vec<_> = disk
            .names()
            .into_iter()
            .filter(|name| name.ends_with("journal"))
            .collect();
        let last = journals.last().expect("some").clone();
        let mut short = disk.bytes(&last);
        short.truncate(1_000);
        let said = look(&copy(&disk, &last, short), false)
            .await
            .expect_err("refused");
        assert!(said.contains(&last), "{said}");
        let gone = disk.image(1);
        gone.take(&last);
        let said = look(&gone, false).await.expect_err("refused");
        assert!(said.contains(&last), "{said}");
    });
}

#[test]
fn frames_of_an_earlier_life_do_not_come_back() {
    runtime().block_on(async {
        let disk = Disk::new();
        let mut lazy = DestinationOptions::default();
        lazy.durability = Durability::Os;
        let broker = open(&disk, &fixed(false)).expect("empty");
        broker.create("orders", &lazy).await.expect("created");
        let (first, _) = broker.inspect();
        publish(&broker, 0..1).await;
        let (second, _) = broker.inspect();
        publish(&broker, 1..3).await;
        let written = disk.killed();
        drop(broker);
        // The disk has lost the first of three frames that were not synced, and kept the others.
        let name = written.names()[0].clone();
        let mut torn = written.bytes(&name);
        torn[first as usize..second as usize].fill(0);
        let torn = copy(&written, &name, torn);
        let broker = open(&torn, &fixed(false)).expect("nothing durable is behind it");
        assert!(served(&broker).await.is_empty());
        // The publisher repeats the first: the same bytes at the same place, with the others still behind them.
        publish(&broker, 0..1).await;
        assert_eq!(broker.inspect().0, second);
        let again = torn.killed();
        drop(broker);
        assert_eq!(look(&again, false).await.expect("sound"), [0]);
    });
}
