//! A fixed piece of work is cut off at every operation of the disk, and several disks are made of what that leaves.

use std::time::Duration;

use mq_broker::{
    BrokerOptions, Durability, GroupMode,
    storage::sim::{Disk, Seeded},
};

use crate::{
    histories::{Announce, number},
    model::Full,
    step::{Draft, Step},
    world::{SEGMENT, World, options, runtime},
};

/// Disks that are made of each crash; the first loses, the second keeps everything that was not synced.
const IMAGES: u64 = 5;

fn draft(size: usize, key: Option<u8>) -> Draft {
    Draft {
        key,
        partition: key.map_or(0, u32::from),
        delay: None,
        size,
    }
}

fn create(destination: usize, durability: Durability, retain: u64) -> Step {
    Step::Create {
        destination,
        partitions: 2,
        durability,
        limit: 100,
        full: Full::DropOldest,
        retain,
    }
}

/// Publishes, delivers and settles enough to fill some segments.
fn round(number: u8) -> Vec<Step> {
    let big = vec![draft(20_000, None), draft(12_000, Some(number))];
    let many = (0..4).map(|key| draft(10 + usize::from(key), Some(key)));
    vec![
        Step::Publish(0, big.clone()),
        Step::Publish(1, many.collect()),
        Step::Number(0, 0, 1, vec![draft(600, None), draft(8, Some(1))]),
        Step::Together(vec![(0, draft(5_000, None)), (1, draft(511, Some(2)))]),
        Step::Receive(0, 4),
        Step::Ack(0, 1, 2),
        Step::Publish(0, big),
        Step::Release(0, 0, Some(Duration::from_secs(3_600))),
        Step::Receive(1, 5),
        Step::Commit(1, 2, vec![(0, draft(100, None)), (1, draft(3_000, None))]),
        Step::Hold(1, 0),
        Step::DeadLetter(1, 1),
        Step::Release(1, 0, None),
        Step::Checkpoint,
        Step::Receive(0, 100),
        Step::Ack(0, 0, 100),
    ]
}

/// Everything that writes, with rolls of segments, snapshots and recycled files.
fn work() -> Vec<Step> {
    let mut steps = vec![
        create(0, Durability::Commit, 0),
        create(1, Durability::Os, 2),
    ];
    steps.extend([
        Step::Join(0, 0, GroupMode::Key, None),
        Step::Join(1, 0, GroupMode::Key, None),
    ]);
    for number in 0..4 {
        steps.append(&mut round(number));
    }
    steps.extend([Step::Purge(1), Step::Handle(0, 1), Step::Delete(1)]);
    steps.extend([
        create(1, Durability::Memory, 0),
        Step::Close,
        Step::Join(0, 0, GroupMode::Key, None),
    ]);
    steps.extend([
        Step::Receive(0, 100),
        Step::Ack(0, 0, 100),
        Step::Checkpoint,
    ]);
    steps.push(Step::Publish(0, vec![draft(20_000, None)]));
    steps
}

fn fixed() -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.spares = 1;
    options.memory = 1 << 20;
    options
}

/// Works until the operation of this number fails; `None` is that it was never reached.
async fn cut_off(operation: u64) -> Option<World> {
    let _announce = Announce("MQ_CRASH", operation);
    let disk = Disk::new();
    disk.crash_at(operation);
    let mut world = World::new(disk, fixed()).expect("nothing is written yet");
    for step in work() {
        world.run(&step).await;
        if world.is_broken() || world.disk.is_crashed() {
            return Some(world);
        }
    }
    let names = world.disk.names();
    assert!(names.iter().any(|name| name.contains("spare")), "{names:?}");
    assert!(world.broker().inspect().0 > 6 * SEGMENT);
    None
}

/// The broker goes on where it was: new work, then everything that is left.
async fn go_on_working(world: &mut World) {
    let more = [
        Step::Publish(0, vec![draft(9_000, Some(1)), draft(40, None)]),
        Step::Join(0, 1, GroupMode::Key, None),
        Step::Receive(0, 3),
        Step::Ack(0, 0, 2),
        Step::Checkpoint,
    ];
    for step in &more {
        world.run(step).await;
    }
    world.drain().await;
}

#[test]
#[expect(clippy::print_stdout, reason = "the size of the matrix is to be seen")]
fn a_crash_at_any_operation_loses_nothing_that_was_confirmed() {
    let runtime = runtime();
    // `MQ_CRASH` is the operation to begin with, to replay a failure.
    let first = number("MQ_CRASH").unwrap_or(0);
    let (mut operation, mut images, mut recoveries) = (first, 0, 0);
    runtime.block_on(async {
        while let Some(world) = cut_off(operation).await {
            let _announce = Announce("MQ_CRASH", operation);
            for seed in 0..IMAGES {
                let disk = world.disk.image(seed * (operation * 31 + seed));
                if seed == 4 {
                    // The next start is cut off as well, each time a little later.
                    disk.crash_at(operation % 8);
                }
                let mut fork = world.fork();
                fork.go_on(disk, true).await;
                fork.disk.crash_at(u64::MAX);
                fork.recover_again();
                if operation % 4 == seed % 4 {
                    go_on_working(&mut fork).await;
                }
                images += 1;
                recoveries += fork.counts.openings;
            }
            let mut fork = world.fork();
            fork.go_on(world.disk.killed(), false).await;
            fork.go_on(fork.disk.image(operation), true).await;
            images += 2;
            recoveries += fork.counts.openings;
            operation += 1;
        }
    });
    println!("{operation} crash points, {images} images, {recoveries} recoveries");
    assert!(
        first > 0 || operation > 150,
        "the work has become too small: {operation}"
    );
}
