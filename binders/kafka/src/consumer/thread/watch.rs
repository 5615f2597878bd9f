//! Subscriptions that cannot go on, or do not.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use mq_core::{
    binder::{AssignedLane, Health, LaneId, Record},
    error::{Error, ErrorKind},
};
use rdkafka::consumer::Consumer;

use super::{
    super::{lanes::LaneState, positions::Place},
    Running,
};
use crate::error;

/// The cluster says sooner than this that a partition may not be read.
const DOUBT: Duration = Duration::from_secs(2);

/// What is known of the health of a subscription.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Since when the cluster is away.
    away: Option<Instant>,
    /// Since when nothing has come although it could have, or since the last look.
    silent: Option<Instant>,
    /// Since when partitions are read whose rights were not seen to be there yet.
    doubt: Option<Instant>,
    /// The position behind the last message of each lane.
    next: HashMap<LaneId, u64>,
}

impl Watch {
    pub(super) fn assigned(&mut self, lanes: &[AssignedLane]) {
        let positions = lanes
            .iter()
            .map(|lane| (lane.id, lane.position.unwrap_or_default()));
        self.next.extend(positions);
        self.silent = None;
        self.doubt = Some(Instant::now());
    }

    /// Records of one lane have come.
    pub(super) fn received(&mut self, records: &[Record]) {
        if let Some(last) = records.last() {
            self.next.insert(last.lane, last.position + 1);
            self.silent = None;
        }
    }

    /// A lane is read from here on.
    pub(super) fn moved(&mut self, lane: LaneId, position: u64) {
        self.next.insert(lane, position);
        self.silent = None;
    }

    /// Nothing can have come for a reason: time is counted from now on.
    pub(super) fn excused(&mut self) {
        self.silent = None;
    }

    fn is_silent(&mut self, silence: Duration) -> bool {
        self.silent.get_or_insert_with(Instant::now).elapsed() > silence
    }
}

/// A lane between what was read and the end of its partition.
struct Span {
    place: Place,
    lane: LaneId,
    next: u64,
    end: u64,
}

impl Running {
    /// Ends the subscription when the cluster has been away for too long, has refused, or has messages that do not come.
    pub(super) fn watch(&mut self) {
        if let Some(error) = self.reader.client.0.context().hooks.take_refusal() {
            let error = error::classify("reading", &error);
            self.end(&error);
        }
        if matches!(self.shared().link.health(), Health::Down(_)) {
            let since = *self.watch.away.get_or_insert_with(Instant::now);
            if since.elapsed() > self.reader.patience {
                self.end(&error::cut());
            }
            return self.watch.excused();
        }
        self.watch.away = None;
        if !self.is_over
            && self
                .watch
                .doubt
                .is_some_and(|since| since.elapsed() > DOUBT)
        {
            self.watch.doubt = None;
            self.shared().link.allow(&self.shared().purpose());
        }
        if self.is_over || self.is_paused || self.handover.is_some() {
            return self.watch.excused();
        }
        if self.watch.is_silent(self.reader.silence) {
            self.watch.silent = None;
            if let Some(error) = self.stall() {
                self.end(&error);
            }
        }
    }

    /// The error of a lane that has messages of which none has come for a while.
    ///
    /// What lies before the end may be marks of transactions alone; so somebody else has to have found a message there.
    fn stall(&mut self) -> Option<Error> {
        for span in self.spans()? {
            if span.next >= span.end {
                continue;
            }
            let admin = &self.reader.admin;
            match admin.has_message(&span.place, span.next, span.end) {
                Ok(true) => return Some(self.stalled(span)),
                // It need not be looked for again.
                Ok(false) => drop(self.watch.next.insert(span.lane, span.end)),
                Err(error) => {
                    tracing::debug!(binding = &*self.shared().binding, error = %error.chain(), "it cannot be looked whether messages wait");
                    return None;
                }
            }
        }
        None
    }

    /// The lanes that are read. The client itself is not asked where they end: it may be what is stuck.
    fn spans(&self) -> Option<Vec<Span>> {
        let assigned = self.shared().lanes().assigned().into_iter();
        let reading = assigned.filter(|(_, slot)| slot.state == LaneState::Reading);
        let next: BTreeMap<Place, _> = reading
            .filter_map(|(id, slot)| {
                let next = self.watch.next.get(&id)?;
                Some(((slot.topic.to_string(), slot.partition), (id, *next)))
            })
            .collect();
        let places = next.keys().cloned().collect();
        let ends = self.reader.admin.ends_of("looking for messages", &places);
        let spans = next
            .into_iter()
            .zip(ends.ok()?)
            .map(|((place, (lane, next)), ends)| Span {
                place,
                lane,
                next,
                end: ends.high,
            });
        Some(spans.collect())
    }

    fn stalled(&self, span: Span) -> Error {
        let text = "the cluster has messages, and none has come for a while; the subscription begins again";
        let (destination, partition) = span.place;
        tracing::warn!(
            binding = &*self.shared().binding,
            destination,
            partition,
            next = span.next,
            end = span.end,
            "{text}"
        );
        Error::new(ErrorKind::Unavailable, text)
            .temporary()
            .context("destination", destination)
            .context("partition", partition)
    }
}
