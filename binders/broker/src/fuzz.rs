//! Bytes that nobody wrote: every decoder says so, without a panic, a great allocation or an endless loop.
//!
//! Checksums are made right again after each change, so that what is behind them is reached.

use bytes::Bytes;
use mq_core::message::Message;
use proptest::{collection::vec, prelude::*};

use crate::{
    journal::{
        SegmentHeader,
        frame::{HEADER, Header},
    },
    options::{DestinationOptions, Durability, Full},
    record::{self, Change, Fields, LaneKey, PREFIX, PublishHead, Target, records},
    state::State,
    storage::{Storage, sim::Disk},
};

const SEGMENT: u64 = 1 << 20;

/// A change of some bytes: where, and what is put there.
fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, Vec<u8>)>> {
    let number = prop_oneof![
        vec(any::<u8>(), 1..4),
        Just(vec![0xff; 4]),
        Just(vec![0xff; 8]),
        Just(vec![0; 8]),
        Just((1_u64 << 40).to_le_bytes().to_vec()),
    ];
    vec((any::<prop::sample::Index>(), number), 1..6)
}

fn mutate(bytes: &mut [u8], mutations: &[(prop::sample::Index, Vec<u8>)]) {
    for (index, new) in mutations {
        let at = index.index(bytes.len());
        let len = new.len().min(bytes.len() - at);
        bytes[at..at + len].copy_from_slice(&new[..len]);
    }
}

fn lane(partition: u32) -> LaneKey {
    LaneKey {
        destination: 1,
        group: 1,
        partition,
    }
}

/// A body with every kind of record.
fn body() -> Vec<u8> {
    let mut body = Vec::new();
    let options = DestinationOptions {
        partitions: 2,
        durability: Durability::Os,
        max_messages: 5,
        full: Full::DropOldest,
        retain: 1,
        ..DestinationOptions::default()
    };
    let (name, from) = ("a".to_owned(), vec![0, 0]);
    let group = Change::Group {
        destination: 1,
        id: 1,
        name: name.clone(),
        from: from.clone(),
    };
    Change::Destination {
        id: 1,
        name: name.clone(),
        options,
    }
    .encode(&mut body);
    group.encode(&mut body);
    Change::Producer { id: 1, name }.encode(&mut body);
    for number in 0..6 {
        let message = Message::new("payload").key("key").header("a", "b").id("id");
        let target = Target {
            destination: 1,
            partition: number % 2,
            key: 7,
            producer: u64::from(number % 3),
            sequence: u64::from(number),
            epoch: number % 2,
        };
        record::encode(&mut body, &message, &target);
    }
    changes(from)
        .iter()
        .for_each(|change| change.encode(&mut body));
    body
}

fn changes(from: Vec<u64>) -> Vec<Change> {
    let (destination, group, partition, position) = (1, 1, 1, 1);
    vec![
        Change::Ack {
            lane: lane(0),
            runs: vec![(0, 1), (2, 1)],
        },
        Change::Release {
            lane: lane(1),
            position,
            attempts: 1,
            deliveries: 1,
            due: 9,
        },
        Change::Hold {
            lane: lane(1),
            position: 2,
            attempts: 1,
            due: 9,
        },
        Change::Handled {
            destination,
            partition,
            position,
        },
        Change::Seek {
            destination,
            group,
            from: from.clone(),
        },
        Change::Trim {
            destination,
            partition,
            to: 2,
        },
        Change::Purge {
            destination,
            to: from,
        },
    ]
}

fn header(lsn: u64, body: &[u8]) -> Header {
    Header {
        lsn,
        len: u32::try_from(body.len()).unwrap_or(u32::MAX),
        time: 5,
        ..Header::default()
    }
}

/// A state with something of everything, as a snapshot.
fn snapshot() -> Vec<u8> {
    let mut state = State::new(SEGMENT);
    let body = body();
    state.apply(&header(64, &body), &body).expect("sound");
    state.snapshot()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_no_records(bytes in vec(any::<u8>(), 0..400)) {
        for (_, record) in records(&bytes).flatten() {
            let _ = Change::decode(record).is_ok();
            let _ = PublishHead::read(record).is_ok();
        }
        let _ = record::decode(&Bytes::from(bytes.clone())).is_ok();
        let _ = Header::decode(&bytes, 0).is_some();
        let _ = State::restore(&bytes, SEGMENT).is_ok();
        let mut fields = Fields(&bytes);
        while fields.text().is_ok() {}
    }

    #[test]
    fn changed_frames_are_applied_or_refused(changes in mutations(), again in mutations()) {
        let mut state = State::new(SEGMENT);
        let mut lsn = 64;
        for changes in [changes, again] {
            let mut body = body();
            mutate(&mut body, &changes);
            let _ = state.apply(&header(lsn, &body), &body).is_ok();
            for (_, record) in records(&body).flatten().filter(|(_, record)| record.len() > PREFIX) {
                let _ = record::decode(&Bytes::copy_from_slice(record)).is_ok();
            }
            lsn += (HEADER + body.len()) as u64;
        }
        // Whatever it is now, it comes back as it is.
        let snapshot = state.snapshot();
        let restored = State::restore(&snapshot, SEGMENT);
        prop_assert!(restored.is_ok(), "{:?}", restored.err());
        prop_assert_eq!(restored.map(|state| state.snapshot()).ok(), Some(snapshot));
    }

    #[test]
    fn changed_snapshots_are_read_or_refused(changes in mutations()) {
        let mut bytes = snapshot();
        let end = bytes.len() - 4;
        mutate(&mut bytes[..end], &changes);
        let crc = crc32c::crc32c(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        if let Ok(mut state) = State::restore(&bytes, SEGMENT) {
            let body = body();
            let _ = state.apply(&header(4_096, &body), &body).is_ok();
            drop(state.snapshot());
        }
    }

    #[test]
    fn changed_segment_headers_are_read_or_refused(changes in mutations()) {
        let disk = Disk::new();
        let file = disk.create("a").expect("made");
        let sound = SegmentHeader { number: 3, size: SEGMENT, epoch: 7, previous: 9 };
        sound.write(&*file).expect("written");
        let mut bytes = disk.bytes("a");
        mutate(&mut bytes[12..], &changes);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        disk.put("a", bytes);
        let file = disk.open("a").expect("there");
        let found = SegmentHeader::read(&*file).expect("readable");
        if let Some(read) = found.and_then(crate::journal::Found::header) {
            let name = crate::journal::name(read.number, read.size);
            prop_assert_eq!(crate::journal::number_of(&name, read.size), Some(read.number));
        }
    }
}
