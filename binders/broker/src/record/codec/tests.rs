//! Changes come back, and cut ones are refused.

use super::*;
use crate::options::{Durability, Expired};

fn every_kind() -> Vec<Change> {
    let mut all = of_lanes();
    all.extend(of_destinations());
    all.extend(of_the_second_format(LaneKey {
        destination: 1,
        group: 2,
        partition: 3,
    }));
    all
}

fn of_lanes() -> Vec<Change> {
    let lane = LaneKey {
        destination: 1,
        group: 2,
        partition: 3,
    };
    vec![
        Change::Ack {
            lane,
            runs: vec![(4, 2), (9, 1)],
        },
        Change::Release {
            lane,
            position: 7,
            attempts: 2,
            deliveries: 3,
            due: 99,
        },
        Change::Hold {
            lane,
            position: 7,
            attempts: 2,
            due: 99,
        },
    ]
}

fn of_destinations() -> Vec<Change> {
    let (name, from) = ("näme".to_owned(), vec![5, 6]);
    vec![
        Change::Destination {
            id: 9,
            name: name.clone(),
            options: DestinationOptions::default(),
        },
        Change::Delete { destination: 1 },
        Change::Group {
            destination: 1,
            id: 4,
            name: name.clone(),
            from: from.clone(),
        },
        Change::Forget {
            destination: 1,
            group: 4,
        },
        Change::Seek {
            destination: 1,
            group: 4,
            from: from.clone(),
        },
        Change::Purge {
            destination: 1,
            to: from,
        },
        Change::Handled {
            destination: 1,
            partition: 0,
            position: 3,
        },
        Change::Trim {
            destination: 1,
            partition: 0,
            to: 3,
        },
        Change::Producer { id: 3, name },
    ]
}

fn of_the_second_format(lane: LaneKey) -> Vec<Change> {
    let options = DestinationOptions {
        durability: Durability::Memory,
        max_attempts: 7,
        max_crashes: 8,
        expired: Expired::DeadLetter,
        max_age: Some(std::time::Duration::from_millis(1_500)),
        ..DestinationOptions::default()
    };
    let mut all = vec![
        Change::Options { id: 9, options },
        Change::Boot,
        Change::Start {
            lane,
            runs: vec![(4, 2), (9, 1)],
        },
        Change::Ended { crashed: true },
        Change::Expire {
            destination: 3,
            partition: 1,
            runs: vec![(4, 2)],
        },
        Change::Epoch { id: 3, epoch: 9 },
    ];
    for mode in [
        GroupMode::Key,
        GroupMode::Queue,
        GroupMode::Exclusive,
        GroupMode::Log,
    ] {
        all.push(Change::Mode {
            destination: 1,
            group: 2,
            mode,
        });
    }
    for saved in [None, Some(Bytes::new()), Some(Bytes::from_static(b"notes"))] {
        all.push(Change::Commit {
            lane,
            position: 77,
            moves: 3,
            saved,
        });
    }
    all
}

#[test]
fn changes_come_back_and_cut_ones_are_refused() {
    for change in every_kind() {
        let mut buffer = Vec::new();
        change.encode(&mut buffer);
        assert_eq!(Change::decode(&buffer), Ok(change));
        for len in 0..buffer.len() {
            let _ = Change::decode(&buffer[..len]).is_ok();
        }
    }
}

#[test]
fn positions_become_runs() {
    assert_eq!(
        crate::record::ranges(&[1, 2, 3, 7, 9, 10]),
        [(1, 3), (7, 1), (9, 2)]
    );
    assert_eq!(crate::record::ranges(&[]), []);
}
