//! The positional lanes of a binding: what is settled becomes commits.

use std::{collections::BTreeMap, future::Future, pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};

use super::tracker::{Arrived, Held, Tracker};
use crate::{
    binder::{Action, AssignedLane, Capabilities, LaneId, Record, RetryState, Settlement},
    policy::WindowPolicy,
};

/// While messages flow, positions are committed this often at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// The trackers of every assigned lane.
#[derive(Debug)]
pub(super) struct Positions {
    lanes: BTreeMap<LaneId, Tracker>,
    limit: usize,
    span: u64,
    last: Instant,
    dirty: bool,
    /// Wakes the task for a commit that is not due yet.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Positions {
    pub(super) fn new(capabilities: &Capabilities, window: &WindowPolicy) -> Self {
        let limit = match capabilities.retry_state {
            RetryState::None => 0,
            RetryState::Bounded(bytes) => bytes,
            RetryState::Full => usize::MAX,
        };
        Self {
            lanes: BTreeMap::new(),
            limit,
            span: window.messages as u64,
            last: Instant::now(),
            dirty: false,
            timer: None,
        }
    }

    pub(super) fn assign(&mut self, lane: &AssignedLane) {
        let tracker = Tracker::new(
            lane.epoch,
            lane.position.unwrap_or_default(),
            lane.saved.as_ref(),
        );
        self.lanes.insert(lane.id, tracker);
    }

    pub(super) fn forget(&mut self, lane: LaneId) {
        self.lanes.remove(&lane);
    }

    pub(super) fn arrived(&mut self, record: &Record) -> Arrived {
        let Some(tracker) = self.lanes.get_mut(&record.lane) else {
            return Arrived::New;
        };
        let arrived = tracker.arrived(record.position);
        // Where nothing else of the lane is settled afterwards, this alone moves the position to commit.
        self.dirty |= arrived == Arrived::Settled;
        arrived
    }

    /// Records have arrived; false, and nothing is noted, where something may be known of one: then each has to be
    /// [looked at](Self::arrived).
    pub(super) fn arrived_new(&mut self, records: &[Record]) -> bool {
        let runs = records.chunk_by(|record, next| record.lane == next.lane);
        let is_known = |run: &[Record]| {
            let first = run.first();
            first.is_some_and(|first| {
                let tracker = self.lanes.get(&first.lane);
                tracker.is_some_and(|tracker| tracker.knows_from(first.position))
            })
        };
        if runs.clone().any(is_known) {
            return false;
        }
        for run in runs {
            let lane = run.first().map(|first| first.lane);
            if let Some(tracker) = lane.and_then(|lane| self.lanes.get_mut(&lane)) {
                tracker.arrived_new(run.iter().map(|record| record.position));
            }
        }
        true
    }

    pub(super) fn hold(&mut self, settlement: &Settlement, held: Held) {
        if let Some(tracker) = self.current(settlement.lane, settlement.epoch) {
            tracker.hold(settlement.position, held);
            self.dirty = true;
        }
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        if let Some(tracker) = self.current(settlement.lane, settlement.epoch) {
            tracker.settle([settlement.position]);
            self.dirty = true;
        }
    }

    /// Records are done with.
    pub(super) fn settle_all(&mut self, records: &[Record]) {
        let of = |record: &Record| (record.lane, record.epoch);
        for run in records.chunk_by(|record, next| of(record) == of(next)) {
            let current = run.first().map(of);
            if let Some(tracker) = current.and_then(|(lane, epoch)| self.current(lane, epoch)) {
                tracker.settle(run.iter().map(|record| record.position));
                self.dirty = true;
            }
        }
    }

    /// Whether the delivery's lane is still assigned as it was when the delivery arrived.
    pub(super) fn is_current(&self, record: &Record) -> bool {
        self.lanes
            .get(&record.lane)
            .is_some_and(|tracker| tracker.epoch() == record.epoch)
    }

    fn current(&mut self, lane: LaneId, epoch: u32) -> Option<&mut Tracker> {
        let tracker = self.lanes.get_mut(&lane);
        tracker.filter(|tracker| tracker.epoch() == epoch)
    }

    /// Whether every lane has room in its window and for what is saved beside its position.
    pub(super) fn has_room(&self) -> bool {
        self.lanes
            .values()
            .all(|tracker| tracker.span() < self.span && tracker.fits(self.limit))
    }

    /// Whether a commit is due: something has changed, and nothing is under way or the interval has passed; if it is not yet, the
    /// task is woken when it is.
    pub(super) fn is_due(&mut self, idle: bool, cx: &mut Context<'_>) -> bool {
        if !self.dirty {
            return false;
        }
        let due = self.last + INTERVAL;
        if idle || due <= Instant::now() {
            return true;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx).is_ready()
    }

    /// The commits of every lane that has changed.
    pub(super) fn commits(&mut self) -> Vec<Settlement> {
        self.dirty = false;
        self.last = Instant::now();
        let limit = self.limit;
        let dirty = self
            .lanes
            .iter_mut()
            .filter(|(_, tracker)| tracker.is_dirty());
        dirty
            .filter_map(|(lane, tracker)| commit(*lane, tracker, limit))
            .collect()
    }
}

fn commit(lane: LaneId, tracker: &mut Tracker, limit: usize) -> Option<Settlement> {
    let epoch = tracker.epoch();
    // What does not fit stops intake (`has_room`) before it comes to this; the next commit has fewer entries.
    let (position, saved) = tracker.commit(limit).ok()?;
    Some(Settlement {
        lane,
        position,
        epoch,
        action: Action::Commit { saved },
    })
}
