//! Settling.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mq_core::{
    binder::{Action, LaneId, SettleError, Settlement, Unsettled, letter},
    error::{Error, ErrorKind, Result},
    message::Message,
};

use super::{publish::Checks, shared::Shared};
use crate::{
    error,
    options::Durability,
    record::{Change, FLEETING, LaneKey, nanos, ranges},
    state::{Checked, MemberKey, Pick, Route},
};

/// Settlements that were checked and begun: changes for the journal, and dead letters that go with them.
struct Prepared<'a> {
    changes: Vec<Change>,
    letters: Vec<(Arc<Route>, Message)>,
    begun: Begun<'a>,
    durability: Durability,
}

impl Prepared<'_> {
    fn begin_commit(&mut self, lane: LaneKey, change: Change, taken: Vec<u64>) {
        let taken = taken.into_iter().map(|position| (lane, position));
        self.begun.taken.extend(taken);
        self.changes.push(change);
    }
}

/// What a settlement has taken from the consumer, who gets it back when this is dropped before the journal has it.
struct Begun<'a> {
    shared: &'a Shared,
    key: MemberKey,
    taken: Vec<(LaneKey, u64)>,
    is_written: AtomicBool,
}

impl Begun<'_> {
    /// The journal takes it, whether or not anybody waits: it must not be handed out again.
    fn write(&self) {
        self.is_written.store(true, Ordering::Relaxed);
    }

    /// The journal could not take it after all.
    fn undo(&self) {
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
    fn durability_of(&self, changes: &[Change]) -> Durability {
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
    async fn prepare_settlements(
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
        let lane = run.first().and_then(|settlement| {
            let is_current = settlement.epoch == key.number;
            state.lane_of(key, settlement.lane).filter(|_| is_current)
        });
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

    /// In a log, the end of a message is the end of everything before it.
    fn acknowledge_log(
        &self,
        key: MemberKey,
        lane: LaneKey,
        run: &[Settlement],
        first: usize,
        prepared: &mut Prepared<'_>,
        unsettled: &mut Vec<Unsettled>,
    ) {
        let mut state = self.lock();
        if state.is_told(key) {
            // It keeps track by itself, and says positions.
            let each = (first..first + run.len()).map(|index| Unsettled {
                index,
                error: cannot("message; settle by position"),
            });
            return unsettled.extend(each);
        }
        let mut last = None;
        for (settlement, index) in run.iter().zip(first..) {
            if state.has_handed(key, lane, settlement.position) {
                last = last.max(Some(settlement.position));
            } else {
                unsettled.push(lost(index));
            }
        }
        let Some(last) = last else { return };
        // It was looked up under the same lock.
        if let Ok((change, taken)) = state.begin_commit(key, lane, last + 1, None) {
            prepared.begin_commit(lane, change, taken);
        }
    }

    /// The position of a lane, with notes beside it.
    fn prepare_commit(
        &self,
        key: MemberKey,
        settlement: &Settlement,
        saved: Option<&bytes::Bytes>,
        prepared: &mut Prepared<'_>,
    ) -> Result<(), SettleError> {
        let mut state = self.lock();
        let is_current = settlement.epoch == key.number;
        let lane = state.lane_of(key, settlement.lane);
        let lane = lane.filter(|_| is_current).ok_or(SettleError::Lost)?;
        if !state.is_log(lane) {
            return Err(cannot("position; settle each message by itself"));
        }
        let size = saved.map_or(0, bytes::Bytes::len);
        if size > MAX_SAVED {
            return Err(SettleError::Failed(error::saved_too_large(size)));
        }
        let begun = state.begin_commit(key, lane, settlement.position, saved.cloned());
        let (change, taken) = begun.map_err(|_| SettleError::Lost)?;
        prepared.begin_commit(lane, change, taken);
        Ok(())
    }

    /// Groups that read a log know nothing of single messages.
    fn refuse_in_log(&self, key: MemberKey, lane: LaneId) -> Result<(), SettleError> {
        let mut state = self.lock();
        match state.lane_of(key, lane) {
            Some(lane) if state.is_log(lane) => Err(SettleError::Failed(error::in_log())),
            _ => Ok(()),
        }
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

    /// Moves a message to the dead letters.
    async fn bury(
        self: &Arc<Self>,
        key: MemberKey,
        letters: Option<&Arc<str>>,
        settlement: &Settlement,
        checked: &Checked,
        reason: &str,
        prepared: &mut Prepared<'_>,
    ) -> Result<(), SettleError> {
        let position = settlement.position;
        let letter = self.letter(checked, position, reason, letters).await;
        let letter = letter.map_err(SettleError::Failed)?;
        // Reading the letter took time: somebody else may have it by now, and then it stays there.
        self.checked(key, settlement)?;
        prepared.letters.push(letter);
        self.lock().begin(key, checked.lane, position);
        prepared.begun.taken.push((checked.lane, position));
        prepared.changes.push(Change::Ack {
            lane: checked.lane,
            runs: vec![(position, 1)],
        });
        Ok(())
    }

    /// Why a message with so many attempts does not come again, if it does not.
    fn exhausted(&self, checked: &Checked, attempts: u32) -> Option<String> {
        let state = self.lock();
        let found = state.destinations.get(&checked.lane.destination)?;
        let limit = found.route.options.max_attempts;
        (limit > 0 && attempts >= limit)
            .then(|| format!("it has failed {attempts} times, and its destination allows {limit}"))
    }

    fn checked(&self, key: MemberKey, settlement: &Settlement) -> Result<Checked, SettleError> {
        if settlement.epoch != key.number {
            return Err(SettleError::Lost);
        }
        let checked = self.lock().check(key, settlement.lane, settlement.position);
        checked.map_err(|_| SettleError::Lost)
    }

    /// The dead letter of a message, and where it goes.
    async fn letter(
        self: &Arc<Self>,
        checked: &Checked,
        position: u64,
        reason: &str,
        target: Option<&Arc<str>>,
    ) -> Result<(Arc<Route>, Message)> {
        let lane = checked.lane;
        let (pick, name, group) = {
            let state = self.lock();
            let destination = state
                .destinations
                .get(&lane.destination)
                .ok_or_else(error::deleted)?;
            let name = destination.route.name.clone();
            let entry = destination
                .entry(lane.partition, position)
                .ok_or_else(|| error::no_message(&name, lane.partition, position))?;
            let pick = Pick::of(position, entry);
            (pick, name, destination.group_name(lane.group))
        };
        let message = self.message(&pick).await?;
        let group = group.as_deref().filter(|group| !group.is_empty());
        let origin = letter::Origin {
            destination: &name,
            partition: lane.partition,
            position,
            group,
        };
        let letter = letter::dead_letter(&message, &origin, reason, checked.note.attempts);
        let target = match target {
            Some(target) => self.route(target).await?,
            None => self.route(&letter::dead_letters(&name, group)).await?,
        };
        Ok((target, letter))
    }

    /// Reads one message.
    pub(crate) async fn message(self: &Arc<Self>, pick: &Pick) -> Result<Message> {
        if pick.lsn & FLEETING != 0 {
            let bytes = self.bodies.fleeting(pick);
            let bytes = bytes.ok_or_else(|| error::unreadable(pick.lsn))?;
            return crate::record::decode(&bytes).map_err(error::malformed);
        }
        let mut bytes = None;
        self.bodies
            .recall(std::slice::from_ref(pick), |_, found| bytes = Some(found));
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => {
                let (shared, pick) = (self.clone(), *pick);
                let read = tokio::task::spawn_blocking(move || shared.bodies.read(&pick));
                read.await.map_err(|_| error::closed())??
            }
        };
        crate::record::decode(&bytes).map_err(error::malformed)
    }

    /// Makes messages and settlements take effect together, or none of them.
    pub(crate) async fn transact(
        self: &Arc<Self>,
        key: MemberKey,
        letters: Option<&Arc<str>>,
        messages: Vec<(Arc<Route>, Message)>,
        settlements: &[Settlement],
    ) -> Result<Vec<mq_core::binder::Receipt>> {
        self.check()?;
        refuse_repetitions(settlements)?;
        let mut unsettled = Vec::new();
        let mut prepared = self
            .prepare_settlements(key, letters, settlements, &mut unsettled)
            .await;
        if let Some(first) = unsettled.pop() {
            return Err(match first.error {
                SettleError::Failed(error) => error,
                _ => error::lost(),
            });
        }
        let count = messages.len();
        let durability = self.durability_of(&prepared.changes);
        let mut all = messages;
        all.append(&mut prepared.letters);
        let begun = &prepared.begun;
        let written = self
            .publish_with(&all, &prepared.changes, durability, Checks::Limits, || {
                begun.write();
            })
            .await;
        let mut receipts = written.inspect_err(|_| begun.undo())?;
        receipts.truncate(count);
        Ok(receipts)
    }
}

/// Bytes of notes beside a position, at most.
pub(crate) const MAX_SAVED: usize = 4_096;

/// A message cannot be settled twice in one step.
fn refuse_repetitions(settlements: &[Settlement]) -> Result<(), Error> {
    let mut places: Vec<(LaneId, u64)> = settlements
        .iter()
        .map(|settlement| (settlement.lane, settlement.position))
        .collect();
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(error::config(
            "a delivery is settled twice in one transaction; settle it once",
        ));
    }
    Ok(())
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

fn lost(index: usize) -> Unsettled {
    Unsettled {
        index,
        error: SettleError::Lost,
    }
}

fn cannot(what: &str) -> SettleError {
    let text = format!("this binder cannot settle by {what}");
    SettleError::Failed(Error::new(ErrorKind::Unsupported, text))
}
