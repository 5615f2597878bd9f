//! What consumers say of messages that they were given.

use std::time::Duration;

use mq_core::binder::{Action, Capability, SettleError, Settlement, Unsettled};

use super::{
    Broker,
    commit::check_commit,
    destination::Destination,
    group::Reading,
    later,
    member::{LaneRef, MemberKey},
    queue::{NotYours, Queue},
    state::State,
};
use crate::error;

pub(super) type Settled = Result<(), SettleError>;

/// Whether acknowledgements are answered without taking effect.
#[derive(Clone, Copy, Debug)]
pub(super) enum Losses<'a> {
    /// All take effect.
    None,
    /// As many as were ordered of this broker do not.
    AsOrdered(&'a Broker),
}

impl State {
    /// Applies settlements one by one; returns those that did not take effect.
    pub(crate) fn settle(
        &mut self,
        key: MemberKey,
        settlements: &[Settlement],
        broker: &Broker,
    ) -> Vec<Unsettled> {
        if broker.options.is_positional {
            self.expire(key, broker);
        }
        let losses = if broker.trouble.repeats() {
            Losses::AsOrdered(broker)
        } else {
            Losses::None
        };
        self.settle_with(key, settlements, broker, losses)
    }

    /// The same, where some acknowledgements get lost.
    pub(super) fn settle_with(
        &mut self,
        key: MemberKey,
        settlements: &[Settlement],
        broker: &Broker,
        losses: Losses<'_>,
    ) -> Vec<Unsettled> {
        let mut unsettled = Vec::new();
        let mut index = 0;
        while let Some(settlement) = settlements.get(index) {
            if is_end(&settlement.action) && matches!(losses, Losses::None) {
                let run = run_of(&settlements[index..]);
                self.settle_run(key, run, index, &mut unsettled);
                index += run.len();
                continue;
            }
            if let Err(error) = self.settle_one(key, settlement, broker, losses) {
                unsettled.push(Unsettled { index, error });
            }
            index += 1;
        }
        unsettled
    }

    /// Settles ends of messages of one lane; `first` is the index of the first.
    fn settle_run(
        &mut self,
        key: MemberKey,
        run: &[Settlement],
        first: usize,
        unsettled: &mut Vec<Unsettled>,
    ) {
        let lane = run
            .first()
            .and_then(|settlement| self.member(key)?.lane(settlement.lane));
        let found =
            lane.and_then(|lane| Some((self.destinations.get_mut(lane.destination)?, lane)));
        let Some((destination, lane)) = found else {
            unsettled.extend((first..first + run.len()).map(lost));
            return;
        };
        let Reading::Shared(queues) = &mut destination.groups[lane.group].reading else {
            let refused = |index| Unsettled {
                index,
                error: cannot("single messages where positions are committed"),
            };
            unsettled.extend((first..first + run.len()).map(refused));
            return;
        };
        let queue = &mut queues[lane.partition];
        let (mut settled, mut ready, mut lowest) = (0, false, u64::MAX);
        for (settlement, index) in run.iter().zip(first..) {
            let position = settlement.position;
            match queue.settle_as(position, key.owner(), settlement.epoch == lane.epoch) {
                Ok(freed) => {
                    settled += 1;
                    ready |= freed;
                    lowest = lowest.min(position);
                }
                Err(NotYours) => unsettled.push(lost(index)),
            }
        }
        queue.tidy();
        settled_in(destination, lane, run, lowest);
        if ready {
            destination.groups[lane.group].wake(&mut self.members);
        }
        self.has_less(key, settled);
    }

    /// Settles the end of one message.
    pub(super) fn settle_alone(&mut self, key: MemberKey, settlement: &Settlement) -> Settled {
        let mut unsettled = Vec::new();
        self.settle_run(key, std::slice::from_ref(settlement), 0, &mut unsettled);
        unsettled
            .pop()
            .map_or(Ok(()), |unsettled| Err(unsettled.error))
    }

    /// The consumer has so many messages less.
    fn has_less(&mut self, key: MemberKey, count: usize) {
        if let Some(member) = self.member(key) {
            let was_full = member.unsettled >= member.window;
            member.unsettled = member.unsettled.saturating_sub(count);
            if was_full {
                member.wake();
            }
        }
    }

    fn settle_one(
        &mut self,
        key: MemberKey,
        settlement: &Settlement,
        broker: &Broker,
        losses: Losses<'_>,
    ) -> Settled {
        let lane = self.lane_of(key, settlement).ok_or(SettleError::Lost)?;
        let position = settlement.position;
        match &settlement.action {
            Action::Ack | Action::Discard => self.repeat(key, settlement, lane, broker),
            Action::Release { after, attempts } => {
                self.release(key, lane, position, *after, *attempts, broker)
            }
            Action::Hold { due, attempts } => {
                let queue = self.queue(lane)?;
                queue.out_with(position, key.owner())?;
                if broker.options.records_attempts {
                    queue.hold(position, key.owner(), *attempts, *due)?;
                }
                Ok(())
            }
            Action::Extend(_) => {
                require(Capability::Extend, broker)?;
                // A lease ends with its consumer, and not before.
                self.queue(lane)?.out_with(position, key.owner())?;
                Ok(())
            }
            Action::DeadLetter { reason } => self.bury(key, settlement, lane, reason, broker),
            Action::Commit { saved } => {
                check_commit(saved.as_ref(), broker)?;
                self.commit_position(key, lane, position, saved.as_ref(), losses)
            }
            _ => Err(cannot("this action")),
        }
    }

    /// Where the lane of a settlement leads, if it is still the consumer's under this number.
    pub(super) fn lane_of(&mut self, key: MemberKey, settlement: &Settlement) -> Option<LaneRef> {
        let lane = self.member(key)?.lane(settlement.lane)?;
        (lane.epoch == settlement.epoch).then_some(lane)
    }

    pub(super) fn queue(&mut self, lane: LaneRef) -> Result<&mut Queue, SettleError> {
        let destination = self
            .destinations
            .get_mut(lane.destination)
            .ok_or(SettleError::Lost)?;
        match &mut destination.groups[lane.group].reading {
            Reading::Shared(queues) => Ok(&mut queues[lane.partition]),
            Reading::Assigned(_) => Err(cannot("single messages where positions are committed")),
        }
    }

    fn release(
        &mut self,
        key: MemberKey,
        lane: LaneRef,
        position: u64,
        after: Duration,
        attempts: u32,
        broker: &Broker,
    ) -> Settled {
        if !after.is_zero() {
            require(Capability::DelayedRedelivery, broker)?;
        }
        let attempts = if broker.options.records_attempts {
            attempts
        } else {
            0
        };
        let due = (!after.is_zero()).then(|| later(broker.clock.now(), after));
        self.queue(lane)?.out_with(position, key.owner())?;
        if self.is_gone(lane, position) {
            self.queue(lane)?.drop_slot(position);
        } else {
            self.queue(lane)?
                .release(position, key.owner(), attempts, due)?;
        }
        self.given_back(key, lane);
        Ok(())
    }

    /// Whether the message was removed while a consumer has it.
    fn is_gone(&self, lane: LaneRef, position: u64) -> bool {
        self.destinations[lane.destination].logs[lane.partition]
            .get(position)
            .is_none()
    }

    /// A message is in line again, or will be.
    fn given_back(&mut self, key: MemberKey, lane: LaneRef) {
        self.has_less(key, 1);
        self.destinations[lane.destination].groups[lane.group].wake(&mut self.members);
    }

    /// The acknowledgement is answered and lost, where that was asked for; else it is applied.
    fn repeat(
        &mut self,
        key: MemberKey,
        settlement: &Settlement,
        lane: LaneRef,
        broker: &Broker,
    ) -> Settled {
        let attempts = self
            .queue(lane)?
            .out_with(settlement.position, key.owner())?
            .attempts;
        if broker.trouble.take_repeat() {
            return self.release(
                key,
                lane,
                settlement.position,
                Duration::ZERO,
                attempts,
                broker,
            );
        }
        self.settle_alone(key, settlement)
    }
}

pub(super) fn require(capability: Capability, broker: &Broker) -> Settled {
    if broker.options.has(capability) {
        Ok(())
    } else {
        Err(SettleError::Failed(error::unsupported(capability.name())))
    }
}

pub(super) fn cannot(what: &str) -> SettleError {
    SettleError::Failed(error::unsupported_settlement(what))
}

/// The settlements at the beginning that end messages of one lane.
fn run_of(settlements: &[Settlement]) -> &[Settlement] {
    let lane = settlements.first().map(|settlement| settlement.lane);
    let run = settlements
        .iter()
        .take_while(|settlement| Some(settlement.lane) == lane && is_end(&settlement.action));
    &settlements[..run.count()]
}

/// Frees what may go now, and tells publishers.
#[inline]
fn settled_in(destination: &mut Destination, lane: LaneRef, run: &[Settlement], lowest: u64) {
    if lowest < destination.logs[lane.partition].swept() {
        let positions = run.iter().map(|settlement| settlement.position);
        destination.free(lane.partition, positions);
    }
    destination.wake_publishers();
}

fn lost(index: usize) -> Unsettled {
    Unsettled {
        index,
        error: SettleError::Lost,
    }
}

/// Whether the action is the end of the message.
#[inline]
fn is_end(action: &Action) -> bool {
    matches!(action, Action::Ack | Action::Discard)
}

impl From<NotYours> for SettleError {
    fn from(_: NotYours) -> Self {
        Self::Lost
    }
}
