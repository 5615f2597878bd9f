//! Disks that are full, slow or broken.

use mq_broker::{
    Broker, BrokerOptions, Delivered, DiskRoom, Subscribe, Subscription,
    storage::sim::{Disk, Fault, Seeded},
};
use mq_core::{
    error::{ErrorKind, Result},
    message::Message,
};

use crate::world::{body, open, options, runtime};

fn fixed() -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.spares = 0;
    options.auto_create = true;
    options
}

#[test]
fn publications_are_slowed_then_refused_as_room_runs_out_and_settlements_never() {
    runtime().block_on(async {
        let disk = Disk::new();
        let mut options = fixed();
        (options.reserve, options.slow_below) = (4 << 20, 8 << 20);
        let broker = open(&disk, &options).expect("empty");
        let wanted = Subscribe::to("orders").group("billing");
        let mut billing = broker.subscribe(&wanted).await.expect("joined");
        for id in 0..4 {
            publish(&broker, id).await.expect("stored");
        }
        let held = billing.receive(4).await.expect("messages");
        let rooms = [(6 << 20, DiskRoom::Low), (2 << 20, DiskRoom::Out)];
        for (index, (room, expected)) in rooms.into_iter().enumerate() {
            disk.set_room(Some(room));
            broker.checkpoint().expect("written");
            assert_eq!(broker.disk_room(), expected);
            // Nobody waits for the first one: 35 KiB a second are let in.
            let first = publish(&broker, 4).await;
            assert_eq!(first.is_ok(), expected == DiskRoom::Low, "{first:?}");
            let step = [Message::new("bill").destination("bills")];
            let held = &held[2 * index..][..2];
            let stored = billing.commit(&step, &held[..1]).await;
            // Outputs count as publications only where there is no room at all.
            assert_eq!(stored.is_ok(), expected == DiskRoom::Low, "{stored:?}");
            held[1].ack().await.expect("settled");
        }
        disk.set_room(None);
        broker.checkpoint().expect("written");
        assert_eq!(broker.disk_room(), DiskRoom::Enough);
        publish(&broker, 5).await.expect("stored");
    });
}

#[test]
fn a_storm_of_publications_is_refused_in_time_while_room_is_low() {
    runtime().block_on(async {
        let disk = Disk::new();
        let mut options = fixed();
        (options.reserve, options.slow_below) = (4 << 20, 8 << 20);
        let broker = open(&disk, &options).expect("empty");
        publish(&broker, 0).await.expect("stored");
        disk.set_room(Some(5 << 20));
        broker.checkpoint().expect("written");
        // Half a second for each: the first dozen would be let in, in their turns.
        let messages: Vec<_> = (1..40).map(|id| Message::new(body(id, 9_000))).collect();
        let calls = messages
            .iter()
            .map(|one| broker.publish("orders", std::slice::from_ref(one)));
        let (mut calls, mut refused) = (calls.map(Box::pin).collect::<Vec<_>>(), Vec::new());
        for call in &mut calls {
            if let Some(mut results) = crate::world::poll_once(call) {
                refused.extend(results.remove(0).err());
            }
        }
        assert!(refused.len() > 20, "{}", refused.len());
        for error in refused {
            assert!(error.is_temporary() && error.kind() == ErrorKind::Full);
            assert!(error.message().contains("`slow_below`"), "{error}");
        }
    });
}

async fn publish(broker: &Broker, id: u64) -> Result<()> {
    let message = Message::new(body(id, 9_000));
    let mut results = broker.publish("orders", &[message]).await;
    results.remove(0).map(drop)
}

async fn join(broker: &Broker) -> Subscription {
    let subscribe = Subscribe::to("orders").group("billing");
    broker.subscribe(&subscribe).await.expect("joined")
}

fn ids(delivered: &[Delivered]) -> Vec<u64> {
    let each = delivered.iter().map(|one| one.message().as_bytes());
    each.map(|bytes| u64::from_le_bytes(bytes[..8].try_into().expect("a number")))
        .collect()
}

async fn receive(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut got = Vec::new();
    while got.len() < count {
        got.append(&mut ids(&subscription
            .receive(count)
            .await
            .expect("messages")));
    }
    got
}

/// Publishes ten messages; returns those that were confirmed, and what the others were told.
async fn ten(broker: &Broker) -> (Vec<u64>, Vec<mq_core::error::Error>) {
    let (mut confirmed, mut refused) = (Vec::new(), Vec::new());
    for id in 0..10 {
        match publish(broker, id).await {
            Ok(()) => confirmed.push(id),
            Err(error) => refused.push(error),
        }
    }
    (confirmed, refused)
}

#[test]
fn a_disk_that_is_full_at_any_write_refuses_for_a_while_and_loses_nothing() {
    runtime().block_on(async {
        let mut refusals = 0;
        for write in 0..14 {
            let disk = Disk::new();
            let broker = open(&disk, &fixed()).expect("empty");
            disk.fault(Fault::FullAtWrite(write));
            let (mut confirmed, refused) = ten(&broker).await;
            // Where a frame has room and the zeros behind it have not, nobody is refused.
            let most = usize::from(disk.faults().is_empty());
            assert!(refused.len() <= most, "write {write}");
            refusals += refused.len();
            for error in &refused {
                assert!(
                    error.kind() == ErrorKind::Full && error.is_temporary(),
                    "{error:?}"
                );
            }
            if !disk.faults().is_empty() {
                break;
            }
            publish(&broker, 10).await.expect("there is room again");
            confirmed.push(10);
            let live = broker.inspect();
            let again = open(&disk.image(0), &fixed()).expect("no damage");
            assert_eq!(again.inspect(), live, "write {write}");
            assert_eq!(
                receive(&mut join(&again).await, confirmed.len()).await,
                confirmed
            );
        }
        assert!(refusals >= 10, "{refusals}");
    });
}

#[test]
fn what_is_stored_can_be_settled_while_the_disk_is_full_and_published_when_it_is_not() {
    runtime().block_on(async {
        let disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        let mut billing = join(&broker).await;
        // As many as one segment holds: the next one needs room.
        for id in 0..7 {
            publish(&broker, id).await.expect("stored");
        }
        let delivered = billing.receive(7).await.expect("messages");
        disk.set_room(Some(4_000));
        let refused = publish(&broker, 7).await.expect_err("no room");
        assert!(refused.kind() == ErrorKind::Full && refused.is_temporary());
        for one in &delivered {
            one.ack()
                .await
                .expect("there is room for an acknowledgement");
        }
        assert_eq!(broker.lag("orders", "billing").expect("there").messages, 0);
        disk.set_room(None);
        publish(&broker, 8).await.expect("stored");
        let again = open(&disk.image(0), &fixed()).expect("no damage");
        assert_eq!(receive(&mut join(&again).await, 1).await, [8]);
    });
}

#[test]
fn a_write_or_sync_that_fails_once_is_never_tried_again() {
    runtime().block_on(async {
        let writes = (0..14).map(Fault::BrokenWrite);
        for fault in writes.chain((0..14).map(Fault::BrokenSync)) {
            let disk = Disk::new();
            let broker = open(&disk, &fixed()).expect("empty");
            broker.check().expect("works");
            disk.fault(fault);
            let (confirmed, refused) = ten(&broker).await;
            assert_eq!(disk.faults().is_empty(), !refused.is_empty(), "{fault:?}");
            if refused.is_empty() {
                continue;
            }
            assert!(broker.check().is_err(), "{fault:?}: it says that it works");
            let operations = disk.operations();
            assert!(publish(&broker, 77).await.is_err() && broker.close().await.is_err());
            assert_eq!(
                disk.operations(),
                operations,
                "{fault:?}: nothing is written any more"
            );
            for seed in 0..6 {
                let again = open(&disk.image(seed), &fixed()).expect("no damage");
                let found = again.destinations();
                let count = found.first().and_then(|one| one.messages).unwrap_or(0);
                let count = usize::try_from(count).expect("few");
                assert!(
                    count == confirmed.len() || count == confirmed.len() + 1,
                    "{fault:?}"
                );
                if count > 0 {
                    let got = receive(&mut join(&again).await, count).await;
                    assert_eq!(got[..confirmed.len()], confirmed, "{fault:?}, {seed}");
                }
            }
        }
    });
}

#[test]
fn a_file_that_cannot_be_made_renamed_or_locked_is_said_and_loses_nothing() {
    runtime().block_on(async {
        for fault in (0..3).map(Fault::Create).chain((0..2).map(Fault::Rename)) {
            let disk = Disk::new();
            let broker = open(&disk, &fixed()).expect("empty");
            disk.fault(fault);
            let (confirmed, _) = ten(&broker).await;
            // A snapshot that cannot be written costs nothing.
            let _failed = broker.checkpoint();
            let again = open(&disk.image(0), &fixed()).expect("no damage");
            if !confirmed.is_empty() {
                let got = receive(&mut join(&again).await, confirmed.len()).await;
                assert_eq!(got, confirmed, "{fault:?}");
            }
        }
        let disk = Disk::new();
        disk.fault(Fault::Lock);
        // Somebody who is about to leave is waited for, and nobody else.
        let broker = open(&disk, &fixed()).expect("free again");
        let error = open(&disk, &fixed()).expect_err("somebody has it");
        assert!(error.message().contains("has the folder open"), "{error}");
        drop(broker);
    });
}

#[test]
fn many_publishers_behind_a_slow_disk_are_stored_in_frames_that_fit() {
    runtime().block_on(async {
        let disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        publish(&broker, 1_000).await.expect("stored");
        disk.hold_syncs(true);
        let mut tasks = Vec::new();
        for id in 0..40 {
            let broker = broker.clone();
            tasks.push(tokio::spawn(async move { publish(&broker, id).await }));
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(
            tasks.iter().all(|task| !task.is_finished()),
            "confirmed before it was synced"
        );
        disk.hold_syncs(false);
        for task in tasks {
            task.await.expect("no panic").expect("stored");
        }
        let again = open(&disk.image(0), &fixed()).expect("no damage");
        assert_eq!(again.inspect(), broker.inspect());
        assert_eq!(receive(&mut join(&again).await, 41).await.len(), 41);
    });
}
