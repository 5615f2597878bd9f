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
    /// Rights that were not seen to be there yet.
    doubt: Option<Doubt>,
    /// The position behind the last message of each lane.
    next: HashMap<LaneId, u64>,
}

/// Topics that are read and of which nothing has come yet: a message, or silence for a while, shows that they may be read.
#[derive(Debug)]
struct Doubt {
    topics: BTreeMap<LaneId, String>,
    /// A message has come.
    is_eased: bool,
    since: Instant,
}

impl Doubt {
    fn is_over(&self) -> bool {
        (self.is_eased && self.topics.is_empty()) || self.since.elapsed() > DOUBT
    }
}

impl Watch {
    pub(super) fn assigned(&mut self, lanes: &[AssignedLane]) {
        let positions = lanes
            .iter()
            .map(|lane| (lane.id, lane.position.unwrap_or_default()));
        self.next.extend(positions);
        self.silent = None;
        self.doubt_of(lanes);
    }

    fn doubt_of(&mut self, lanes: &[AssignedLane]) {
        let since = Instant::now();
        let doubt = self.doubt.get_or_insert_with(|| Doubt {
            topics: BTreeMap::new(),
            is_eased: false,
            since,
        });
        doubt.since = since;
        let topics = lanes
            .iter()
            .map(|lane| (lane.id, lane.lane.destination.to_string()));
        doubt.topics.extend(topics);
    }

    /// Records of one lane have come.
    pub(super) fn received(&mut self, records: &[Record]) {
        if let Some(last) = records.last() {
            self.next.insert(last.lane, last.position + 1);
            self.silent = None;
            self.may_be_read(last.lane);
        }
    }

    /// A message has come: its topic may be read.
    fn may_be_read(&mut self, lane: LaneId) {
        let Some(doubt) = &mut self.doubt else {
            return;
        };
        if let Some(topic) = doubt.topics.remove(&lane) {
            doubt.topics.retain(|_, other| *other != topic);
            doubt.is_eased = true;
        }
    }

    /// Whether there is no doubt any more, for the first time.
    fn is_sure(&mut self) -> bool {
        self.doubt.take_if(|doubt| doubt.is_over()).is_some()
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
        if !self.is_over && self.watch.is_sure() {
            self.allow();
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

    /// Nothing has shown that the subscription may not be read. Where that was shown before, silence is not enough: the partitions of a topic
    /// that may not be read may be another member's.
    fn allow(&mut self) {
        let (link, purpose) = (&self.reader.shared.link, self.reader.shared.purpose());
        if !link.is_denied(&purpose) || self.may_read_all() {
            link.allow(&purpose);
        } else {
            self.watch.doubt_of(&[]);
        }
    }

    /// Whether a reader without a group may read each topic.
    fn may_read_all(&self) -> bool {
        let (admin, mut topics) = (&self.reader.admin, self.reader.destinations.iter());
        topics.all(|topic| match admin.may_read(topic) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(binding = &*self.shared().binding, destination = &**topic, error = %error.chain(), "the topic cannot be read yet");
                false
            }
        })
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

#[cfg(test)]
mod tests {
    use mq_core::{
        binder::{AssignedLane, Lane, LaneId},
        message::Message,
    };

    use super::*;

    fn assigned(watch: &mut Watch, topics: &[&str]) {
        let lanes = topics.iter().zip(0..).map(|(&topic, number)| AssignedLane {
            id: LaneId(number),
            lane: Lane {
                destination: topic.into(),
                partition: number,
            },
            position: Some(0),
            saved: None,
            epoch: number,
        });
        watch.assigned(&lanes.collect::<Vec<_>>());
    }

    fn received(watch: &mut Watch, lane: u32) {
        watch.received(&[Record::new(Message::new("a"), LaneId(lane), 0)]);
    }

    #[test]
    fn rights_are_known_when_each_topic_has_had_a_message() {
        let mut watch = Watch::default();
        assigned(&mut watch, &["orders", "refunds", "orders"]);
        assert!(!watch.is_sure());
        received(&mut watch, 2);
        assert!(!watch.is_sure());
        received(&mut watch, 1);
        assert!(watch.is_sure());
        assert!(!watch.is_sure(), "it is said once");
    }

    #[test]
    fn a_member_without_partitions_has_shown_nothing() {
        let mut watch = Watch::default();
        assigned(&mut watch, &[]);
        assert!(!watch.is_sure());
    }
}
