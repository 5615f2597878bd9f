//! What consumers say of messages that they were given.

use mq_core::{
    binder::{Action, SettleError, Settlement, Unsettled},
    clock::Clock,
};

use super::{
    destination::Destination,
    later,
    member::{LaneRef, MemberKey},
    queue::NotYours,
    state::State,
};
use crate::{error, options::Options};

/// What a settlement has changed for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing, or it was the end of the message.
    None,
    /// Something has become ready, or will.
    Ready,
}

impl State {
    /// Applies settlements one by one; returns those that did not take effect.
    pub(crate) fn settle(&mut self, key: MemberKey, settlements: &[Settlement], options: &Options, clock: Clock) -> Vec<Unsettled> {
        let mut unsettled = Vec::new();
        let mut index = 0;
        while let Some(settlement) = settlements.get(index) {
            if is_end(&settlement.action) {
                index = self.settle_run(key, settlements, index, &mut unsettled);
                continue;
            }
            if let Err(error) = self.settle_one(key, settlement, options, clock) {
                unsettled.push(Unsettled { index, error });
            }
            index += 1;
        }
        unsettled
    }

    /// Settles from `first` on what is of the same lane and ends its message; returns the index of the next.
    fn settle_run(&mut self, key: MemberKey, settlements: &[Settlement], first: usize, unsettled: &mut Vec<Unsettled>) -> usize {
        let id = settlements[first].lane;
        let lane = self.lane(key, &settlements[first]);
        let found = lane.and_then(|lane| Some((self.destinations.get_mut(lane.destination)?, lane)));
        let Some((destination, lane)) = found else {
            unsettled.push(Unsettled { index: first, error: SettleError::Lost });
            return first + 1;
        };
        let queue = &mut destination.groups[lane.group].queues[lane.partition];
        let (mut end, mut settled, mut ready, mut lowest) = (first, 0, false, u64::MAX);
        for settlement in &settlements[first..] {
            if settlement.lane != id || !is_end(&settlement.action) {
                break;
            }
            let known = settlement.epoch == lane.epoch;
            match if known { queue.settle(settlement.position, key.owner()) } else { Err(NotYours) } {
                Ok(freed) => {
                    settled += 1;
                    ready |= freed;
                    lowest = lowest.min(settlement.position);
                }
                Err(NotYours) => unsettled.push(Unsettled { index: end, error: SettleError::Lost }),
            }
            end += 1;
        }
        queue.tidy();
        if lowest < destination.logs[lane.partition].swept() {
            destination.free(lane.partition, settlements[first..end].iter().map(|settlement| settlement.position));
        }
        destination.wake_publishers();
        if ready {
            destination.groups[lane.group].wake(&mut self.members);
        }
        self.settled(key, settled);
        end
    }

    /// The consumer has so many messages less.
    fn settled(&mut self, key: MemberKey, count: usize) {
        if let Some(member) = self.member(key) {
            member.unsettled = member.unsettled.saturating_sub(count);
            if count > 0 && member.unsettled + count >= member.window {
                member.wake();
            }
        }
    }

    /// Where the lane leads, if it is still the consumer's under this number.
    fn lane(&mut self, key: MemberKey, settlement: &Settlement) -> Option<LaneRef> {
        self.member(key)?.lane(settlement.lane)
    }

    fn settle_one(&mut self, key: MemberKey, settlement: &Settlement, options: &Options, clock: Clock) -> Result<(), SettleError> {
        let lane = self.lane(key, settlement).filter(|lane| lane.epoch == settlement.epoch).ok_or(SettleError::Lost)?;
        let destination = self.destinations.get_mut(lane.destination).ok_or(SettleError::Lost)?;
        let effect = apply(destination, lane, key.owner(), settlement, options, clock)?;
        if effect == Effect::Ready {
            destination.groups[lane.group].wake(&mut self.members);
        }
        let given_back = matches!(settlement.action, Action::Release { .. });
        self.settled(key, usize::from(given_back));
        Ok(())
    }
}

/// Whether the action is the end of the message.
#[inline]
fn is_end(action: &Action) -> bool {
    matches!(action, Action::Ack | Action::Discard)
}

fn apply(
    destination: &mut Destination,
    lane: LaneRef,
    owner: u32,
    settlement: &Settlement,
    options: &Options,
    clock: Clock,
) -> Result<Effect, SettleError> {
    let queue = &mut destination.groups[lane.group].queues[lane.partition];
    let position = settlement.position;
    let recorded = |attempts: u32| if options.records_attempts { attempts } else { 0 };
    match &settlement.action {
        Action::Release { after, attempts } => {
            let due = (!after.is_zero()).then(|| later(clock.now(), *after));
            queue.release(position, owner, recorded(*attempts), due)?;
            Ok(Effect::Ready)
        }
        Action::Hold { due, attempts } => {
            if options.records_attempts {
                queue.hold(position, owner, *attempts, *due)?;
            }
            Ok(Effect::None)
        }
        _ => Err(SettleError::Failed(error::unsupported_settlement("this action"))),
    }
}

impl From<NotYours> for SettleError {
    fn from(_: NotYours) -> Self {
        Self::Lost
    }
}
