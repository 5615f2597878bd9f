//! What consumers say of messages that they were given.

use std::time::Duration;

use bytes::Bytes;
use mq_core::{
    binder::{Action, Capability, RetryState, SettleError, Settlement, Unsettled},
    error::{Error, ErrorKind},
};

use super::{
    Broker,
    group::Reading,
    later,
    member::{LaneRef, MemberKey},
    publish::Stored,
    queue::{NotYours, Queue},
    state::State,
};
use crate::{error, headers};

type Settled = Result<(), SettleError>;

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
        let repeats = broker.trouble.repeats();
        self.settle_with(key, settlements, broker, |settlement| {
            repeats && is_end(&settlement.action)
        })
    }

    /// The same, where some acknowledgements get lost.
    pub(super) fn settle_with(
        &mut self,
        key: MemberKey,
        settlements: &[Settlement],
        broker: &Broker,
        gets_lost: impl Fn(&Settlement) -> bool,
    ) -> Vec<Unsettled> {
        let mut unsettled = Vec::new();
        let mut index = 0;
        while let Some(settlement) = settlements.get(index) {
            if is_end(&settlement.action) && !gets_lost(settlement) {
                index = self.settle_run(key, settlements, index, &mut unsettled);
                continue;
            }
            if let Err(error) = self.settle_one(key, settlement, broker) {
                unsettled.push(Unsettled { index, error });
            }
            index += 1;
        }
        unsettled
    }

    /// Settles from `first` on what is of the same lane and ends its message; returns the index of the next.
    fn settle_run(
        &mut self,
        key: MemberKey,
        settlements: &[Settlement],
        first: usize,
        unsettled: &mut Vec<Unsettled>,
    ) -> usize {
        let id = settlements[first].lane;
        let lane = self.member(key).and_then(|member| member.lane(id));
        let found =
            lane.and_then(|lane| Some((self.destinations.get_mut(lane.destination)?, lane)));
        let Some((destination, lane)) = found else {
            unsettled.push(Unsettled {
                index: first,
                error: SettleError::Lost,
            });
            return first + 1;
        };
        let Reading::Shared(queues) = &mut destination.groups[lane.group].reading else {
            unsettled.push(Unsettled {
                index: first,
                error: cannot("single messages where positions are committed"),
            });
            return first + 1;
        };
        let queue = &mut queues[lane.partition];
        let (mut end, mut settled, mut ready, mut lowest) = (first, 0, false, u64::MAX);
        for settlement in &settlements[first..] {
            if settlement.lane != id || !is_end(&settlement.action) {
                break;
            }
            let known = settlement.epoch == lane.epoch;
            match if known {
                queue.settle(settlement.position, key.owner())
            } else {
                Err(NotYours)
            } {
                Ok(freed) => {
                    settled += 1;
                    ready |= freed;
                    lowest = lowest.min(settlement.position);
                }
                Err(NotYours) => unsettled.push(Unsettled {
                    index: end,
                    error: SettleError::Lost,
                }),
            }
            end += 1;
        }
        queue.tidy();
        if lowest < destination.logs[lane.partition].swept() {
            destination.free(
                lane.partition,
                settlements[first..end]
                    .iter()
                    .map(|settlement| settlement.position),
            );
        }
        destination.wake_publishers();
        if ready {
            destination.groups[lane.group].wake(&mut self.members);
        }
        self.has_less(key, settled);
        end
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

    fn settle_one(&mut self, key: MemberKey, settlement: &Settlement, broker: &Broker) -> Settled {
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
                self.commit_position(key, lane, position, saved.as_ref(), broker)
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
        let mut unsettled = Vec::new();
        self.settle_run(key, std::slice::from_ref(settlement), 0, &mut unsettled);
        unsettled
            .pop()
            .map_or(Ok(()), |unsettled| Err(unsettled.error))
    }

    /// Moves the message to the dead letters.
    fn bury(
        &mut self,
        key: MemberKey,
        settlement: &Settlement,
        lane: LaneRef,
        reason: &str,
        broker: &Broker,
    ) -> Settled {
        require(Capability::DeadLetter, broker)?;
        let attempts = self
            .queue(lane)?
            .out_with(settlement.position, key.owner())?
            .attempts;
        if let Some(letter) = self.letter(key, lane, settlement.position, reason, attempts) {
            let target = self.find_or_create(&letter.0, &broker.options);
            match self.store(target, &letter.1, broker.stamp(), &broker.options) {
                Stored::At(_) => self.stored(target, &broker.options),
                Stored::Refused(error) => return Err(SettleError::Failed(error)),
                Stored::Full(_) => return Err(SettleError::Failed(error::full(&letter.0))),
            }
        }
        let ack = Settlement {
            action: Action::Ack,
            ..settlement.clone()
        };
        let mut unsettled = Vec::new();
        self.settle_run(key, &[ack], 0, &mut unsettled);
        unsettled
            .pop()
            .map_or(Ok(()), |unsettled| Err(unsettled.error))
    }

    /// The dead letter of a message, and where it goes; nothing if the message is gone.
    pub(super) fn letter(
        &mut self,
        key: MemberKey,
        lane: LaneRef,
        position: u64,
        reason: &str,
        attempts: u32,
    ) -> Option<(std::sync::Arc<str>, mq_core::message::Message)> {
        let configured = self.member(key)?.letters.clone();
        let destination = self.destinations.get(lane.destination)?;
        let group = destination.groups[lane.group].name.as_deref();
        let message = &destination.logs[lane.partition].get(position)?.message;
        let origin = headers::Origin {
            destination: &destination.name,
            partition: super::number(lane.partition),
            position,
            group,
        };
        let target =
            configured.unwrap_or_else(|| headers::dead_letters(&destination.name, group).into());
        Some((
            target,
            headers::dead_letter(message, &origin, reason, attempts),
        ))
    }

    /// Everything of the lane below `position` is done with.
    fn commit_position(
        &mut self,
        key: MemberKey,
        lane: LaneRef,
        position: u64,
        saved: Option<&Bytes>,
        broker: &Broker,
    ) -> Settled {
        check_saved(saved, broker)?;
        if !broker.options.is_positional {
            return Err(cannot("position; it settles each message by itself"));
        }
        let destination = self
            .destinations
            .get_mut(lane.destination)
            .ok_or(SettleError::Lost)?;
        let end = destination.logs[lane.partition].end();
        let tracks = destination.groups[lane.group]
            .reading
            .tracks()
            .ok_or(SettleError::Lost)?;
        let track = &mut tracks[lane.partition];
        if !track.is_held_by(key.index, lane.epoch) {
            return Err(SettleError::Lost);
        }
        if position > end {
            let error = Error::new(
                ErrorKind::Rejected,
                "positions beyond the last message cannot be committed",
            );
            return Err(SettleError::Failed(
                error.context("position", position).context("end", end),
            ));
        }
        if broker.trouble.take_repeat() {
            self.lose(lane.destination, lane.group);
            self.rebalance(lane.destination, lane.group, broker);
            return Ok(());
        }
        let before = std::mem::replace(&mut track.committed, position);
        track.saved = saved.cloned();
        destination.free(lane.partition, before..position);
        destination.wake_publishers();
        Ok(())
    }
}

/// Whether what is to be saved beside a position fits there.
pub(super) fn check_saved(saved: Option<&Bytes>, broker: &Broker) -> Settled {
    let Some(saved) = saved else { return Ok(()) };
    match broker.options.capabilities.retry_state {
        RetryState::Full => Ok(()),
        RetryState::None => Err(cannot("positions with something saved beside them")),
        RetryState::Bounded(limit) if saved.len() <= limit => Ok(()),
        RetryState::Bounded(limit) => {
            let error = Error::new(
                ErrorKind::TooLarge,
                "what is to be saved beside a position is too long",
            );
            Err(SettleError::Failed(
                error.context("bytes", saved.len()).context("limit", limit),
            ))
        }
    }
}

pub(super) fn require(capability: Capability, broker: &Broker) -> Settled {
    if broker.options.has(capability) {
        Ok(())
    } else {
        Err(SettleError::Failed(error::unsupported(capability.name())))
    }
}

fn cannot(what: &str) -> SettleError {
    SettleError::Failed(error::unsupported_settlement(what))
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
