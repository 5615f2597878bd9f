//! From a message of the client to a record.

mod pieces;

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use mq_core::{
    binder::{LaneId, Record},
    message::Message,
};
use rdkafka::{Message as _, Timestamp, message::BorrowedMessage};

use super::{Shared, lanes::LaneState};
use crate::headers;
use pieces::Pieces;

/// Makes records; knows the lane of the last one, as messages come in runs of a partition.
#[derive(Debug, Default)]
pub(crate) struct Filler {
    pieces: Pieces,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    topic: Arc<str>,
    partition: i32,
    lane: LaneId,
    epoch: u32,
    /// No other topic is read: the partition alone tells the lane.
    is_only_topic: bool,
}

impl Filler {
    /// The lanes have changed.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }

    /// The batch is handed over.
    pub(crate) fn seal(&mut self) {
        self.pieces.seal();
    }

    /// Nothing comes for now.
    pub(crate) fn rest(&mut self) {
        self.pieces.rest();
    }

    /// The record of a message; `None` if its lane is not read now.
    pub(crate) fn record(
        &mut self,
        found: &BorrowedMessage<'_>,
        shared: &Shared,
    ) -> Option<Record> {
        let (lane, epoch) = self.lane(found, shared)?;
        let position = u64::try_from(found.offset()).ok()?;
        let mut message = self.message(found.key(), found.payload());
        if let Some(time) = time(found.timestamp()) {
            message = message.timestamp(time);
        }
        if let Some(found) = found.headers() {
            message = headers::read(shared.link.headers(), found, message);
        }
        let mut record = Record::new(message, lane, position);
        record.epoch = epoch;
        Some(record)
    }

    fn lane(&mut self, found: &BorrowedMessage<'_>, shared: &Shared) -> Option<(LaneId, u32)> {
        let partition = found.partition();
        if let Some(last) = &self.last
            && last.partition == partition
            && (last.is_only_topic || *last.topic == *found.topic())
        {
            return Some((last.lane, last.epoch));
        }
        self.find(found.topic(), partition, shared)
    }

    #[cold]
    fn find(&mut self, topic: &str, partition: i32, shared: &Shared) -> Option<(LaneId, u32)> {
        let lanes = shared.lanes();
        let lane = lanes.find(topic, partition)?;
        let slot = lanes
            .get(lane)
            .filter(|slot| slot.state == LaneState::Reading)?;
        self.last = Some(Last {
            topic: slot.topic.clone(),
            partition,
            lane,
            epoch: slot.epoch,
            is_only_topic: lanes.has_one_topic(),
        });
        Some((lane, slot.epoch))
    }

    fn message(&mut self, key: Option<&[u8]>, payload: Option<&[u8]>) -> Message {
        let size = key.map_or(0, <[u8]>::len) + payload.map_or(0, <[u8]>::len);
        self.pieces.make_room(size);
        let message = match payload {
            Some(payload) => Message::new(self.pieces.copy(payload)),
            None => Message::tombstone(),
        };
        match key {
            Some(key) => message.key(self.pieces.copy(key)),
            None => message,
        }
    }
}

fn time(found: Timestamp) -> Option<std::time::SystemTime> {
    let millis = u64::try_from(found.to_millis()?).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}
