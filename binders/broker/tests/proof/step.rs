//! One thing that is done to broker and model.

use std::time::Duration;

use mq_broker::{Durability, GroupMode, storage::sim::Seeded};

use crate::model::Full;

pub(crate) const DESTINATIONS: [&str; 3] = ["orders", "bills", "small"];
pub(crate) const GROUPS: [&str; 2] = ["billing", "audit"];
pub(crate) const PUBLISHERS: [&str; 2] = ["shop", "till"];

/// A message to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub(crate) key: Option<u8>,
    pub(crate) partition: u32,
    pub(crate) delay: Option<Duration>,
    pub(crate) size: usize,
}

/// Where a group is moved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seek {
    Earliest,
    Latest,
    Position(u64),
    /// When the message of this number (modulo their count) was published.
    Time(usize),
}

/// A step. Numbers of consumers and deliveries count modulo how many there are.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create {
        destination: usize,
        partitions: u32,
        durability: Durability,
        limit: u64,
        full: Full,
        retain: u64,
    },
    Publish(usize, Vec<Draft>),
    /// Numbered, going back by so many numbers that were stored already.
    Number(usize, usize, u64, Vec<Draft>),
    /// Another owner of a publisher.
    Open(usize),
    /// Numbered, by an owner who is not the last one.
    Late(usize, usize, Vec<Draft>),
    /// To several destinations, all or nothing.
    Together(Vec<(usize, Draft)>),
    /// A group that is not there yet gets this mode; the consumer may have so many bytes.
    Join(usize, usize, GroupMode, Option<u64>),
    Mode(usize, usize, GroupMode),
    Leave(usize),
    Receive(usize, usize),
    /// A consumer's deliveries from the first of these on, so many.
    Ack(usize, usize, usize),
    Release(usize, usize, Option<Duration>),
    Hold(usize, usize),
    DeadLetter(usize, usize),
    /// Acknowledges so many and publishes.
    Commit(usize, usize, Vec<(usize, Draft)>),
    /// Other limits and policies, and so many more partitions.
    Change(usize, u32, u64, Full),
    Purge(usize),
    Handle(usize, usize),
    Seek(usize, usize, Seek),
    Delete(usize),
    Checkpoint,
    Close,
    Kill,
}

fn index(chance: &mut Seeded, end: usize) -> usize {
    usize::try_from(chance.below(end as u64)).unwrap_or(0)
}

pub(crate) fn draft(chance: &mut Seeded) -> Draft {
    let key = (chance.below(2) == 0).then(|| chance.below(3) as u8);
    let delay = match chance.below(12) {
        0 => Some(Duration::from_micros(100)),
        1 => Some(Duration::from_secs(3_600)),
        _ => None,
    };
    let size = match chance.below(30) {
        0 => 20_000,
        1 | 2 => 5_000,
        _ => 8 + index(chance, 200),
    };
    Draft {
        key,
        partition: key.map_or_else(|| chance.below(2) as u32, u32::from),
        delay,
        size,
    }
}

fn drafts(chance: &mut Seeded) -> Vec<Draft> {
    (0..=chance.below(3)).map(|_| draft(chance)).collect()
}

fn addressed(chance: &mut Seeded) -> Vec<(usize, Draft)> {
    let each = (0..=chance.below(2)).map(|_| (index(chance, 3), draft(chance)));
    each.collect()
}

/// The step that makes a destination.
pub(crate) fn create(chance: &mut Seeded, destination: usize) -> Step {
    let is_small = destination == 2;
    Step::Create {
        destination,
        partitions: 1 + chance.below(2) as u32,
        durability: *chance.pick(&[
            Durability::Commit,
            Durability::Commit,
            Durability::Commit,
            Durability::Commit,
            Durability::Os,
            Durability::Memory,
        ]),
        limit: if is_small { 3 } else { 1_000_000 },
        full: *chance.pick(&[Full::Reject, Full::DropOldest]),
        retain: *chance.pick(&[0, 2, 10_000]),
    }
}

fn mode(chance: &mut Seeded) -> GroupMode {
    *chance.pick(&[
        GroupMode::Key,
        GroupMode::Key,
        GroupMode::Key,
        GroupMode::Queue,
        GroupMode::Exclusive,
        GroupMode::Log,
    ])
}

/// Some step, the frequent ones more often.
pub(crate) fn any(chance: &mut Seeded) -> Step {
    let (which, who) = (index(chance, 3), index(chance, 8));
    match chance.below(100) {
        0..24 => Step::Publish(which, drafts(chance)),
        24..28 => Step::Number(which, index(chance, 2), chance.below(3), drafts(chance)),
        28 => Step::Open(index(chance, 2)),
        29 => Step::Late(which, index(chance, 2), drafts(chance)),
        30..33 => Step::Together(addressed(chance)),
        33..41 => {
            let bytes = *chance.pick(&[None, None, Some(100), Some(500), Some(6_000)]);
            Step::Join(which, index(chance, 2), mode(chance), bytes)
        }
        41..44 => Step::Leave(who),
        44..62 => Step::Receive(who, 1 + index(chance, 5)),
        62..72 => Step::Ack(who, index(chance, 4), 1 + index(chance, 4)),
        72..77 => {
            let delays = [None, None, Some(100), Some(3_600_000_000)];
            let delay = chance.pick(&delays).map(Duration::from_micros);
            Step::Release(who, index(chance, 4), delay)
        }
        77..79 => Step::Hold(who, index(chance, 4)),
        79..82 => Step::DeadLetter(who, index(chance, 4)),
        82..87 => Step::Commit(who, 1 + index(chance, 3), addressed(chance)),
        87 => Step::Purge(which),
        88..90 => Step::Handle(which, index(chance, 20)),
        90..93 => {
            let to = [
                Seek::Earliest,
                Seek::Latest,
                Seek::Position(chance.below(10)),
                Seek::Time(index(chance, 20)),
            ];
            Step::Seek(which, index(chance, 2), *chance.pick(&to))
        }
        93 => Step::Delete(which),
        94..96 => Step::Checkpoint,
        96 => Step::Close,
        97 => Step::Change(
            which,
            chance.below(2) as u32,
            *chance.pick(&[2, 3, 1_000_000]),
            *chance.pick(&[Full::Reject, Full::DropOldest]),
        ),
        98 => Step::Mode(which, index(chance, 2), mode(chance)),
        _ => Step::Kill,
    }
}
