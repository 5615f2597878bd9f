//! Publishers that number their messages, and change their owners.

use std::time::SystemTime;

use mq_broker::{Durability, Publisher};
use mq_core::error::ErrorKind;

use crate::{
    step::{DESTINATIONS, Draft},
    world::World,
};

impl World {
    /// Who has opened the publisher last, in this process.
    pub(crate) fn owner(&self, publisher: &str) -> Option<Publisher> {
        let mut owners = self.owners.iter().rev();
        let found = owners.find(|(name, _)| name == publisher);
        found.map(|(_, owner)| owner.clone())
    }

    /// Somebody opens a publisher: everybody who did so before is fenced.
    pub(crate) async fn open_publisher(&mut self, name: &str) {
        let said = self.broker().publisher(name).await;
        let mut after = self.model.clone();
        let publisher = after.publishers.entry(name.to_owned()).or_default();
        publisher.epoch += 1;
        let epoch = publisher.epoch;
        if let Some(owner) = self.end(said, after, true) {
            assert_eq!(owner.epoch(), epoch, "{name}");
            self.owners.push((name.to_owned(), owner));
        }
    }

    pub(crate) async fn number(
        &mut self,
        which: usize,
        publisher: &str,
        back: u64,
        drafts: &[Draft],
    ) {
        let known = self.model.destinations.get(DESTINATIONS[which]);
        if known.is_none_or(|known| known.durability == Durability::Memory) {
            return;
        }
        if self.owner(publisher).is_none() {
            self.open_publisher(publisher).await;
        }
        if self.is_broken() {
            return;
        }
        let next = self.model.publishers[publisher].last + 1;
        let first = next.saturating_sub(back).max(1);
        self.publish(which, drafts, Some((publisher, first))).await;
    }

    /// An owner who was fenced publishes: it is told so, and nothing is stored.
    pub(crate) async fn late(&mut self, which: usize, publisher: &str, drafts: &[Draft]) {
        let name = DESTINATIONS[which];
        let known = self.model.destinations.get(name);
        if known.is_none_or(|known| known.durability == Durability::Memory) {
            return;
        }
        let known = known.expect("there");
        let is_durable = known.is_durable();
        let fitting = (1..=drafts.len() as u64).take_while(|more| known.has_room(*more));
        let fitting = fitting.count();
        let all = self.owners.iter().filter(|(name, _)| name == publisher);
        let all: Vec<Publisher> = all.map(|(_, owner)| owner.clone()).collect();
        let Some((_, fenced)) = all.split_last() else {
            return;
        };
        let Some(late) = fenced.first() else { return };
        let stamp = SystemTime::now();
        let drawn = drafts.iter().map(|draft| self.draw(name, draft, stamp));
        let messages: Vec<_> = drawn.collect();
        let reals: Vec<_> = messages.iter().map(|one| self.real(one)).collect();
        let first = self.model.publishers[publisher].last + 1;
        let said = late.publish(name, first, &reals).await;
        let refused = said.into_iter().take(fitting);
        let refused: Vec<_> = refused.map(|one| one.expect_err("fenced")).collect();
        if refused.iter().all(|error| error.kind() == ErrorKind::Lost) {
            // It is in the journal, and changes nothing.
            self.end(Ok(()), self.model.clone(), is_durable && fitting > 0);
        } else {
            assert!(self.disk.is_crashed(), "{refused:?}");
            self.was_quiet();
        }
    }
}
