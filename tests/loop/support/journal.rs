//! Reading the broker's journal.

use mq::{
    binder::{Action, Settlement},
    message::Message,
};

use super::{
    broker::{Broker, Progress, Seen, State},
    text,
};

impl Broker {
    /// Every entry for which `pick` has an answer, in order.
    pub fn seen<T>(&self, pick: impl FnMut(&Seen) -> Option<T>) -> Vec<T> {
        let mut pick = pick;
        let state = self.0.lock();
        state.journal.iter().filter_map(|(_, seen)| pick(seen)).collect()
    }

    /// The messages that were published to this destination and confirmed.
    pub fn published(&self, to: &str) -> Vec<Message> {
        self.seen(|seen| match seen {
            Seen::Published {
                destination,
                message,
            } if destination == to => Some(message.clone()),
            _ => None,
        })
    }

    /// Their payloads as text.
    pub fn texts(&self, to: &str) -> Vec<String> {
        self.published(to).iter().map(text).collect()
    }

    /// How many publications to this destination were refused.
    pub fn refused(&self, to: &str) -> usize {
        self.seen(|seen| matches!(seen, Seen::Refused { destination } if destination == to).then_some(()))
            .len()
    }

    /// Every settlement that took effect.
    pub fn settlements(&self) -> Vec<Settlement> {
        self.seen(|seen| match seen {
            Seen::Settled(settlement) => Some(settlement.clone()),
            _ => None,
        })
    }

    /// The positions that were acknowledged, in that order.
    pub fn acked(&self) -> Vec<u64> {
        self.positions(|action| *action == Action::Ack)
    }

    /// The positions that were settled like this, in that order.
    pub fn positions(&self, wanted: impl Fn(&Action) -> bool) -> Vec<u64> {
        let all = self.settlements().into_iter();
        all.filter(|settlement| wanted(&settlement.action))
            .map(|settlement| settlement.position)
            .collect()
    }

    /// The commits: position, and whether something was saved beside it.
    pub fn commits(&self) -> Vec<(u64, bool)> {
        let commit = |settlement: Settlement| match settlement.action {
            Action::Commit { saved } => Some((settlement.position, saved.is_some())),
            _ => None,
        };
        self.settlements().into_iter().filter_map(commit).collect()
    }

    /// How often somebody subscribed.
    pub fn subscriptions(&self) -> usize {
        self.seen(|seen| matches!(seen, Seen::Subscribed).then_some(())).len()
    }

    /// What the group `test` knows of partition 0 of this destination.
    pub fn progress(&self, destination: &str) -> Progress {
        self.progress_of(destination, 0)
    }

    /// What the group `test` knows of this partition.
    pub fn progress_of(&self, destination: &str, partition: u32) -> Progress {
        self.look(|state| state.progress(destination, super::GROUP, partition).clone())
    }

    /// How many messages of this destination are not settled.
    pub fn unsettled(&self, destination: &str) -> usize {
        let is_positional = !self.0.capabilities.settles_each();
        let progress = self.progress(destination);
        let end = self.look(|state| state.ensure(destination, 1)[0].len());
        if is_positional {
            end - progress.committed as usize
        } else {
            progress.slots.len() + end - progress.next as usize
        }
    }

    /// Looks at the whole state.
    pub fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock())
    }
}
