//! Subscriptions that cannot go on, or do not.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use mq_core::{
    binder::{AssignedLane, Health, LaneId, Record},
    error::{Error, ErrorKind},
};
use rdkafka::{Offset, consumer::Consumer};

use super::{
    super::{
        lanes::LaneState,
        positions::{Place, offsets, value},
    },
    Running,
};
use crate::error;

/// A consumer that receives nothing for so long is asked whether there is something.
const SILENCE: Duration = Duration::from_secs(30);

/// What is known of the health of a subscription.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Since when the cluster is away.
    away: Option<Instant>,
    /// Since when nothing has come, or since the last look.
    silent: Option<Instant>,
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
    }

    /// Records of one lane have come.
    pub(super) fn received(&mut self, records: &[Record]) {
        if let Some(last) = records.last() {
            self.next.insert(last.lane, last.position + 1);
            self.silent = None;
        }
    }

    fn is_silent(&mut self) -> bool {
        self.silent.get_or_insert_with(Instant::now).elapsed() > SILENCE
    }
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
            return;
        }
        self.watch.away = None;
        if self.is_over || self.is_paused || !self.watch.is_silent() {
            return;
        }
        self.watch.silent = None;
        if let Some(error) = self.stall() {
            self.end(&error);
        }
    }

    /// The error of a lane that has messages of which none has come for a while; the same ones are complained of once.
    ///
    /// A consumer that is made anew and gets nothing either has nothing to get: what lies before the end are marks of transactions.
    fn stall(&self) -> Option<Error> {
        let shared = self.shared();
        let assigned = shared.lanes().assigned().into_iter();
        let reading = assigned.filter(|(_, slot)| slot.state == LaneState::Reading);
        let next: HashMap<Place, u64> = reading
            .filter_map(|(id, slot)| {
                let next = self.watch.next.get(&id)?;
                Some(((slot.topic.to_string(), slot.partition), *next))
            })
            .collect();
        let places: BTreeSet<_> = next.keys().cloned().collect();
        let ends = offsets(&self.reader.client.0, &places, Offset::End, shared.timeout).ok()?;
        let group = shared.group.as_deref().unwrap_or_default();
        let behind = places.into_iter().find(|place| {
            let (next, end) = (next[place], value(&ends, place).unwrap_or_default());
            next < end && shared.link.complain(group, place, (next, end))
        })?;
        let text = "the cluster has messages, and none has come for a while; the subscription begins again";
        Some(
            Error::new(ErrorKind::Unavailable, text)
                .temporary()
                .context("destination", behind.0)
                .context("partition", behind.1),
        )
    }
}
