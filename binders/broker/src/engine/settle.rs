//! Settling.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mq_core::{
    binder::{Action, SettleError, Settlement, Unsettled},
    error::{Error, ErrorKind, Result},
    message::Message,
};

use super::{shared::Shared, step::Checks};
use crate::{
    options::Durability,
    record::{Change, LaneKey, nanos, ranges},
    state::{Checked, MemberKey, Route},
};

/// Settlements that were checked and begun: changes for the journal, and dead letters that go with them.
pub(super) struct Prepared<'a> {
    pub(super) changes: Vec<Change>,
    pub(super) letters: Vec<(Arc<Route>, Message)>,
    pub(super) begun: Begun<'a>,
    durability: Durability,
}

impl Prepared<'_> {
    pub(super) fn begin_commit(&mut self, lane: LaneKey, change: Change, taken: Vec<u64>) {
        let taken = taken.into_iter().map(|position| (lane, position));
        self.begun.taken.extend(taken);
        self.changes.push(change);
    }
}

/// What a settlement has taken from the consumer, who gets it back when this is dropped before the journal has it.
pub(super) struct Begun<'a> {
    shared: &'a Shared,
    key: MemberKey,
    pub(super) taken: Vec<(LaneKey, u64)>,
    is_written: AtomicBool,
}

impl Begun<'_> {
    /// The journal takes it, whether or not anybody waits: it must not be handed out again.
    pub(super) fn write(&self) {
        self.is_written.store(true, Ordering::Relaxed);
    }

    /// The journal could not take it after all.
    pub(super) fn undo(&self) {
        self.is_written.store(false, Ordering::Relaxed);
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_written.load(Ordering::Relaxed) && !self.taken.is_empty() {
            self.shared.undo(self.key, &self.taken);
        }
    }
}

impl Shared {
    /// Settles; returns what did not take effect.
    pub(crate) async fn settle(
        self: &Arc<Self>,
        key: MemberKey,
        letters: Option<&Arc<str>>,
        settlements: &[Settlement],
    ) -> Result<Vec<Unsettled>> {
        self.check()?;
        let mut unsettled = Vec::new();
        let mut prepared = self
            .prepare_settlements(key, letters, settlements, &mut unsettled)
            .await;
        prepared.durability = self.durability_of(&prepared.changes);
        self.carry_out(prepared).await?;
        unsettled.sort_unstable_by_key(|one| one.index);
        Ok(unsettled)
    }

    /// Makes begun settlements take effect, or gives back what they had taken.
    async fn carry_out(&self, prepared: Prepared<'_>) -> Result<()> {
        if prepared.changes.is_empty() {
            return Ok(());
        }
        let Prepared {
            changes,
            letters,
            begun,
            durability,
        } = prepared;
        let written = self
            .publish_with(&letters, &changes, durability, Checks::None, || {
                begun.write();
            })
            .await;
        written.map(drop).inspect_err(|_| begun.undo())
    }

    fn undo(&self, key: MemberKey, begun: &[(LaneKey, u64)]) {
        let mut state = self.lock();
        for (lane, position) in begun {
            state.undo(key, *lane, *position);
        }
        state.wake();
    }

    /// Settlements are as durable as the messages that they are of.
    pub(super) fn durability_of(&self, changes: &[Change]) -> Durability {
        let state = self.lock();
        let lanes = changes.iter().filter_map(|change| match change {
            Change::Ack { lane, .. }
            | Change::Release { lane, .. }
            | Change::Hold { lane, .. }
            | Change::Commit { lane, .. } => Some(lane.destination),
            _ => None,
        });
        let each =
            lanes.filter_map(|id| Some(state.destinations.get(&id)?.route.options.durability));
        each.min_by_key(|durability| *durability as u8)
            .unwrap_or(Durability::Os)
    }

    /// Checks settlements and takes their messages from the consumer.
    pub(super) async fn prepare_settlements(
        self: &Arc<Self>,
        key: MemberKey,
        letters: Option<&Arc<str>>,
        settlements: &[Settlement],
        unsettled: &mut Vec<Unsettled>,
    ) -> Prepared<'_> {
        let mut prepared = Prepared {
            changes: Vec::new(),
            letters: Vec::new(),
            begun: Begun {
                shared: self,
                key,
                taken: Vec::new(),
                is_written: AtomicBool::new(false),
            },
            durability: Durability::default(),
        };
        let mut index = 0;
        while let Some(settlement) = settlements.get(index) {
            let run = run_of(&settlements[index..]);
            if !run.is_empty() {
                self.acknowledge(key, run, index, &mut prepared, unsettled);
                index += run.len();
                continue;
            }
            let one = self
                .prepare_one(key, letters, settlement, &mut prepared)
                .await;
            if let Err(error) = one {
                unsettled.push(Unsettled { index, error });
            }
            index += 1;
        }
        prepared
    }

    /// A run of ends of messages of one lane; `first` is the index of the first.
    fn acknowledge(
        &self,
        key: MemberKey,
        run: &[Settlement],
        first: usize,
        prepared: &mut Prepared<'_>,
        unsettled: &mut Vec<Unsettled>,
    ) {
        let mut state = self.lock();
        let lane = run
            .first()
            .and_then(|settlement| state.current(key, settlement.lane, settlement.epoch));
        let Some(lane) = lane else {
            return unsettled.extend((first..first + run.len()).map(lost));
        };
        if state.is_log(lane) {
            drop(state);
            return self.acknowledge_log(key, lane, run, first, prepared, unsettled);
        }
        let before = unsettled.len();
        let positions = run.iter().map(|settlement| settlement.position);
        state.begin_run(key, lane, positions, |index| {
            unsettled.push(lost(first + index));
        });
        drop(state);
        let refused = &unsettled[before..];
        let taken = run.iter().zip(first..);
        let taken = taken.filter(|(_, index)| refused.iter().all(|one| one.index != *index));
        let mut taken: Vec<u64> = taken.map(|(settlement, _)| settlement.position).collect();
        if taken.is_empty() {
            return;
        }
        if !taken.is_sorted() {
            taken.sort_unstable();
        }
        prepared
            .begun
            .taken
            .extend(taken.iter().map(|position| (lane, *position)));
        prepared.changes.push(Change::Ack {
            lane,
            runs: ranges(&taken),
        });
    }

    /// When a message that is given back is due; 0 is at once.
    fn due_after(&self, after: Duration) -> u64 {
        if after.is_zero() {
            return 0;
        }
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.clock.now().saturating_add(nanos)
    }

    async fn prepare_one(
        self: &Arc<Self>,
        key: MemberKey,
        letters: Option<&Arc<str>>,
        settlement: &Settlement,
        prepared: &mut Prepared<'_>,
    ) -> Result<(), SettleError> {
        let (lane, position) = (settlement.lane, settlement.position);
        if let Action::Commit { saved } = &settlement.action {
            return self.prepare_commit(key, settlement, saved.as_ref(), prepared);
        }
        self.refuse_in_log(key, lane)?;
        let checked = self.checked(key, settlement)?;
        if let Action::Release { attempts, .. } = settlement.action
            && let Some(reason) = self.exhausted(&checked, attempts)
        {
            return self
                .bury(key, letters, settlement, &checked, &reason, prepared)
                .await;
        }
        let change = match &settlement.action {
            Action::Release { after, attempts } => Change::Release {
                lane: checked.lane,
                position,
                attempts: *attempts,
                deliveries: checked.deliveries,
                due: self.due_after(*after),
            },
            Action::Hold { due, attempts } => {
                prepared.changes.push(Change::Hold {
                    lane: checked.lane,
                    position,
                    attempts: *attempts,
                    due: nanos(*due),
                });
                return Ok(());
            }
            Action::Extend(by) => {
                let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
                self.lock()
                    .extend(key, lane, position, self.clock.now().saturating_add(by));
                return Ok(());
            }
            Action::DeadLetter { reason } => {
                return self
                    .bury(key, letters, settlement, &checked, reason, prepared)
                    .await;
            }
            _ => return Err(cannot("this action")),
        };
        self.lock().begin(key, checked.lane, position);
        prepared.begun.taken.push((checked.lane, position));
        prepared.changes.push(change);
        Ok(())
    }

    pub(super) fn checked(
        &self,
        key: MemberKey,
        settlement: &Settlement,
    ) -> Result<Checked, SettleError> {
        let mut state = self.lock();
        let lane = state.current(key, settlement.lane, settlement.epoch);
        lane.ok_or(SettleError::Lost)?;
        let checked = state.check(key, settlement.lane, settlement.position);
        checked.map_err(|_| SettleError::Lost)
    }
}

/// The settlements at the beginning that end messages of one lane.
fn run_of(settlements: &[Settlement]) -> &[Settlement] {
    let first = settlements
        .first()
        .map(|settlement| (settlement.lane, settlement.epoch));
    let run = settlements.iter().take_while(|settlement| {
        let is_end = matches!(settlement.action, Action::Ack | Action::Discard);
        is_end && Some((settlement.lane, settlement.epoch)) == first
    });
    &settlements[..run.count()]
}

pub(super) fn lost(index: usize) -> Unsettled {
    Unsettled {
        index,
        error: SettleError::Lost,
    }
}

pub(super) fn cannot(what: &str) -> SettleError {
    let text = format!("this binder cannot settle by {what}");
    SettleError::Failed(Error::new(ErrorKind::Unsupported, text))
}
