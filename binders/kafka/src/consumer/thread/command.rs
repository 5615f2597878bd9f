//! What the loop asks for.

use mq_core::{binder::LaneId, error::Result};
use rdkafka::{TopicPartitionList, consumer::Consumer};

use super::{
    super::{
        lanes::{LaneState, Slot},
        positions::offset,
        shared::Command,
    },
    Running,
};
use crate::error;

impl Running {
    pub(super) fn commands(&mut self) {
        for command in self.shared().commands() {
            match command {
                Command::Released { lanes, reply } => drop(reply.send(self.released(&lanes))),
                Command::Pause { lanes, reply } => drop(reply.send(self.pause(&lanes))),
                Command::Resume { lanes, reply } => drop(reply.send(self.resume(&lanes))),
                Command::Seek {
                    lane,
                    position,
                    reply,
                } => drop(reply.send(self.seek(lane, position))),
            }
            self.filler.forget();
        }
    }

    fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        let Some(handover) = &mut self.handover else {
            return Err(error::lost());
        };
        let released = handover.release(lanes);
        self.mark(&released, LaneState::Free);
        Ok(())
    }

    fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        let (lanes, slots) = self.shared().lanes().meant(lanes);
        self.switch(&slots, true)?;
        self.mark(&lanes, LaneState::Paused);
        let purged = self.shared().queue.purge(&lanes);
        // What was fetched and not handed over is fetched again after the pause.
        for (lane, position) in purged {
            self.seek_to(lane, position)?;
        }
        Ok(())
    }

    /// Those that are gone meanwhile must not keep the others from being read.
    fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        let (lanes, slots) = self.shared().lanes().meant(lanes);
        self.mark(&lanes, LaneState::Reading);
        self.watch.excused();
        if self.is_paused {
            return Ok(());
        }
        self.switch(&slots, false)
    }

    fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        self.seek_to(lane, position)?;
        self.shared().queue.purge(&[lane]);
        self.batch.retain(|record| record.lane != lane);
        Ok(())
    }

    fn seek_to(&mut self, lane: LaneId, position: u64) -> Result<()> {
        let (_, slots) = self.shared().lanes().meant(&[lane]);
        let slot = slots.first().ok_or_else(error::lost)?;
        let timeout = self.shared().timeout;
        self.reader
            .client
            .0
            .seek(&slot.topic, slot.partition, offset(position), timeout)
            .map_err(|error| error::classify("seeking", &error))?;
        self.watch.moved(lane, position);
        Ok(())
    }

    fn mark(&self, lanes: &[LaneId], state: LaneState) {
        let mut table = self.shared().lanes();
        for lane in lanes {
            table.set(*lane, state);
        }
    }

    fn switch(&self, slots: &[Slot], pause: bool) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for slot in slots {
            list.add_partition(&slot.topic, slot.partition);
        }
        let client = &self.reader.client.0;
        let switched = if pause {
            client.pause(&list)
        } else {
            client.resume(&list)
        };
        switched.map_err(|error| error::classify("pausing", &error))
    }

    /// Pauses or resumes every lane that the loop has not paused itself.
    pub(super) fn switch_all(&self, pause: bool) {
        let assigned = self.shared().lanes().assigned();
        let reading = assigned.into_iter().map(|(_, slot)| slot);
        let reading: Vec<_> = reading
            .filter(|slot| slot.state == LaneState::Reading)
            .collect();
        if let Err(error) = self.switch(&reading, pause) {
            tracing::debug!(binding = &*self.shared().binding, error = %error.chain(), pause, "lanes were lost meanwhile");
        }
    }
}
