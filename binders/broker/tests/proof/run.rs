//! Doing a step to broker and model.

use std::time::{Duration, SystemTime};

use mq_broker::{DestinationOptions, Durability};
use mq_core::{binder::ReplayFrom, error::ErrorKind, message::Message as Real};

use crate::{
    model::{Destination, Full, Message, Model},
    sharing::{is_covered, refused_in_log},
    step::{DESTINATIONS, Draft, GROUPS, PUBLISHERS, Seek, Step},
    world::World,
};

type Addressed = Vec<(String, Message)>;

impl World {
    /// Does a step, if it makes sense as things are.
    pub(crate) async fn run(&mut self, step: &Step) {
        self.counts.steps += 1;
        match step.clone() {
            Step::Create { .. } => self.create(step).await,
            Step::Publish(which, drafts) => self.publish(which, &drafts, None).await,
            Step::Number(which, who, back, drafts) => {
                self.number(which, PUBLISHERS[who], back, &drafts).await;
            }
            Step::Open(who) => self.open_publisher(PUBLISHERS[who]).await,
            Step::Late(which, who, drafts) => self.late(which, PUBLISHERS[who], &drafts).await,
            Step::Together(drafts) => self.together(&drafts).await,
            Step::Join(which, group, mode, bytes) => {
                self.join(DESTINATIONS[which], GROUPS[group], Some(mode), bytes)
                    .await;
            }
            Step::Mode(which, group, mode) => {
                self.change_mode(DESTINATIONS[which], GROUPS[group], mode)
                    .await;
            }
            Step::Leave(who) => self.leave(who),
            Step::Receive(who, max) => {
                if let Some(who) = self.who(who) {
                    self.receive(who, max).await;
                }
            }
            Step::Ack(who, first, count) => self.ack(who, first, count).await,
            Step::Release(who, which, after) => self.release(who, which, after).await,
            Step::Hold(who, which) => self.hold(who, which).await,
            Step::DeadLetter(who, which) => self.dead_letter(who, which).await,
            Step::Commit(who, count, drafts) => self.commit(who, count, &drafts).await,
            Step::Change(which, more, limit, full) => {
                self.change_options(DESTINATIONS[which], more, limit, full)
                    .await;
            }
            Step::Purge(which) => self.purge(DESTINATIONS[which]).await,
            Step::Handle(which, number) => self.handle(DESTINATIONS[which], number).await,
            Step::Seek(which, group, to) => self.seek(DESTINATIONS[which], GROUPS[group], to).await,
            Step::Delete(which) => self.delete(DESTINATIONS[which]).await,
            Step::Checkpoint => {
                let said = self.broker().checkpoint();
                self.end(said, self.model.clone(), false);
                self.was_quiet();
            }
            Step::Close => self.close().await,
            Step::Kill => self.go_on(self.disk.killed(), false).await,
        }
    }

    pub(crate) fn who(&self, who: usize) -> Option<usize> {
        who.checked_rem(self.consumers.len())
    }

    async fn create(&mut self, step: &Step) {
        let Step::Create {
            destination,
            partitions,
            durability,
            limit,
            full,
            retain,
        } = *step
        else {
            return;
        };
        let mut options = DestinationOptions::default();
        options.partitions = partitions;
        options.max_messages = limit;
        options.retain = retain;
        options.full = full.real();
        options.durability = durability;
        // Nothing becomes so old here.
        options.max_age = (retain == 2).then_some(Duration::from_secs(86_400));
        let mut made = Destination::new(partitions as usize, limit, full, durability);
        if durability == Durability::Memory {
            made.lose(u64::from(self.broker().boots()) << 40);
        }
        self.make(DESTINATIONS[destination], &options, made).await;
    }

    async fn make(&mut self, name: &str, options: &DestinationOptions, made: Destination) {
        if self.model.destinations.contains_key(name) {
            return;
        }
        let said = self.broker().create(name, options).await;
        let mut after = self.model.clone();
        after.destinations.insert(name.to_owned(), made);
        self.end(said, after, true);
    }

    pub(crate) fn draw(&mut self, name: &str, draft: &Draft, stamp: SystemTime) -> Message {
        let partitions = self.model.destinations[name].partitions.len() as u32;
        Message {
            id: self.id(),
            key: draft.key,
            partition: draft.partition % partitions,
            due: draft.delay.map(|delay| stamp + delay),
            stamp,
            size: draft.size,
        }
    }

    pub(crate) async fn publish(
        &mut self,
        which: usize,
        drafts: &[Draft],
        numbers: Option<(&str, u64)>,
    ) {
        let name = DESTINATIONS[which];
        let Some(destination) = self.model.destinations.get(name) else {
            return;
        };
        let is_durable = destination.is_durable();
        let fitting = (1..=drafts.len() as u64).take_while(|more| destination.has_room(*more));
        let fitting = fitting.count();
        let stamp = SystemTime::now();
        let drawn = drafts.iter().map(|draft| self.draw(name, draft, stamp));
        let messages: Vec<_> = drawn.collect();
        let reals: Vec<_> = messages.iter().map(|one| self.real(one)).collect();
        let mut after = self.model.clone();
        let stored = after.publish(name, &messages[..fitting], numbers);
        let mut said = match numbers {
            None => self.broker().publish(name, &reals).await,
            Some((publisher, first)) => {
                let owner = self.owner(publisher).expect("open");
                owner.publish(name, first, &reals).await
            }
        };
        for refused in said.drain(fitting..) {
            let error = refused.expect_err("there was no room");
            let is_due = matches!(error.kind(), ErrorKind::Full | ErrorKind::Unavailable);
            assert!(
                is_due && error.is_temporary() || self.disk.is_crashed(),
                "{error:?}"
            );
        }
        if fitting == 0 {
            return;
        }
        let said: Result<Vec<_>, _> = said.into_iter().collect();
        let places = said.map(|all| all.into_iter().map(|one| one.position).collect::<Vec<_>>());
        if let Some(places) = self.end(places, after, is_durable) {
            assert_eq!(places, stored, "positions in {name}");
        }
    }

    /// Messages to several destinations, the model with them, and whether there is room and it is durable.
    fn address(
        &mut self,
        drafts: &[(usize, Draft)],
        after: &mut Model,
    ) -> (Addressed, Vec<Option<u64>>, bool, bool) {
        let (mut all, mut stored, mut is_durable) = (Addressed::new(), Vec::new(), false);
        let (mut has_room, stamp) = (true, SystemTime::now());
        for (which, draft) in drafts {
            let name = DESTINATIONS[*which];
            let Some(destination) = self.model.destinations.get(name) else {
                continue;
            };
            is_durable |= destination.is_durable();
            let more = all.iter().filter(|(other, _)| other == name).count() as u64 + 1;
            has_room &= destination.has_room(more);
            let message = self.draw(name, draft, stamp);
            stored.append(&mut after.publish(name, std::slice::from_ref(&message), None));
            all.push((name.to_owned(), message));
        }
        (all, stored, is_durable, has_room)
    }

    async fn together(&mut self, drafts: &[(usize, Draft)]) {
        let mut after = self.model.clone();
        let (all, stored, is_durable, has_room) = self.address(drafts, &mut after);
        if all.is_empty() {
            return;
        }
        let said = self.broker().publish_all(&self.addressed(&all)).await;
        if !has_room {
            let error = said.expect_err("there was no room");
            assert!(error.is_temporary() || self.disk.is_crashed(), "{error:?}");
            return;
        }
        let places = said.map(|all| all.into_iter().map(|one| one.position).collect::<Vec<_>>());
        if let Some(places) = self.end(places, after, is_durable) {
            assert_eq!(places, stored);
        }
    }

    async fn ack(&mut self, who: usize, first: usize, count: usize) {
        let Some(who) = self.who(who) else { return };
        let consumer = &mut self.consumers[who];
        let first = first.min(consumer.held.len());
        let end = (first + count).min(consumer.held.len());
        let acked: Vec<_> = consumer.held.drain(first..end).collect();
        if acked.is_empty() {
            return;
        }
        let (mut after, places) = (self.model.clone(), places(&acked));
        if self.model.destinations[&consumer.destination].is_log(&consumer.group) {
            consumer.held.retain(|one| !is_covered(one, &places));
        }
        let destination = after
            .destinations
            .get_mut(&consumer.destination)
            .expect("there");
        destination.ack(&consumer.group, &places);
        let is_durable = destination.is_durable();
        let said = consumer.subscription.ack(&acked).await;
        if said.is_ok() {
            let again = acked[0].ack().await;
            assert!(again.is_err(), "an acknowledged message is nobody's");
        }
        self.end(said, after, is_durable);
    }

    async fn release(&mut self, who: usize, which: usize, after: Option<Duration>) {
        let Some(who) = self.who(who) else { return };
        let consumer = &mut self.consumers[who];
        let Some(which) = which.checked_rem(consumer.held.len()) else {
            return;
        };
        if self.model.destinations[&consumer.destination].is_log(&consumer.group) {
            return refused_in_log(consumer.held[which].release(Duration::ZERO, 1).await);
        }
        let one = consumer.held.remove(which);
        let attempts = one.attempts() + 1;
        let due = after.map(|after| SystemTime::now() + after);
        let said = one.release(after.unwrap_or_default(), attempts).await;
        let (mut model, at) = (self.model.clone(), (one.partition(), one.position()));
        let destination = model
            .destinations
            .get_mut(&consumer.destination)
            .expect("there");
        destination.release(&consumer.group, at, attempts, due);
        let is_durable = destination.is_durable();
        self.end(said, model, is_durable);
    }

    async fn hold(&mut self, who: usize, which: usize) {
        let Some(who) = self.who(who) else { return };
        let consumer = &mut self.consumers[who];
        let Some(which) = which.checked_rem(consumer.held.len()) else {
            return;
        };
        let one = &consumer.held[which];
        if self.model.destinations[&consumer.destination].is_log(&consumer.group) {
            return refused_in_log(one.hold(SystemTime::now(), 1).await);
        }
        let attempts = one.attempts() + 1;
        let said = one
            .hold(SystemTime::now() + Duration::from_secs(60), attempts)
            .await;
        let (mut model, at) = (self.model.clone(), (one.partition(), one.position()));
        let destination = model
            .destinations
            .get_mut(&consumer.destination)
            .expect("there");
        destination.hold(&consumer.group, at, attempts);
        let is_durable = destination.is_durable();
        self.end(said, model, is_durable);
    }

    async fn dead_letter(&mut self, who: usize, which: usize) {
        let Some(who) = self.who(who) else { return };
        let consumer = &self.consumers[who];
        let Some(which) = which.checked_rem(consumer.held.len()) else {
            return;
        };
        let name = consumer.destination.clone();
        if self.model.destinations[&name].is_log(&consumer.group) {
            return refused_in_log(consumer.held[which].dead_letter("no good").await);
        }
        // What everybody is done with, as the group was moved, may be gone.
        self.look_at(&name).await;
        let consumer = &self.consumers[who];
        let letters = format!("{name}.{}.dlq", consumer.group);
        let at = (
            consumer.held[which].partition(),
            consumer.held[which].position(),
        );
        let Some(kept) = self.model.destinations[&name].kept(at).cloned() else {
            return;
        };
        let made = Destination::new(1, u64::MAX, Full::Reject, Durability::Commit);
        self.make(&letters, &DestinationOptions::default(), made)
            .await;
        if self.is_broken() {
            return;
        }
        let one = self.consumers[who].held.remove(which);
        let said = one.dead_letter("no good").await;
        let mut model = self.model.clone();
        let destination = model.destinations.get_mut(&name).expect("there");
        destination.ack(&self.consumers[who].group, &[at]);
        let letter = Message {
            partition: 0,
            due: None,
            ..kept.message
        };
        model.publish(&letters, &[letter], None);
        self.end(said, model, true);
    }

    async fn commit(&mut self, who: usize, count: usize, drafts: &[(usize, Draft)]) {
        let Some(who) = self.who(who) else { return };
        let mut after = self.model.clone();
        let (all, stored, is_durable, has_room) = self.address(drafts, &mut after);
        let reals = self.addressed(&all);
        let consumer = &mut self.consumers[who];
        let count = count.min(consumer.held.len());
        if all.is_empty() || count == 0 {
            return;
        }
        let said = consumer
            .subscription
            .commit(&reals, &consumer.held[..count])
            .await;
        if !has_room {
            let error = said.expect_err("there was no room");
            assert!(error.is_temporary() || self.disk.is_crashed(), "{error:?}");
            return;
        }
        let acked: Vec<_> = consumer.held.drain(..count).collect();
        if self.model.destinations[&consumer.destination].is_log(&consumer.group) {
            let places = places(&acked);
            consumer.held.retain(|one| !is_covered(one, &places));
        }
        let destination = after
            .destinations
            .get_mut(&consumer.destination)
            .expect("there");
        destination.ack(&consumer.group, &places(&acked));
        let is_durable = is_durable || destination.is_durable();
        let places = said.map(|all| all.into_iter().map(|one| one.position).collect::<Vec<_>>());
        if let Some(places) = self.end(places, after, is_durable) {
            assert_eq!(places, stored);
        }
    }

    async fn purge(&mut self, name: &str) {
        let mut after = self.model.clone();
        let Some(destination) = after.destinations.get_mut(name) else {
            return;
        };
        destination.purge();
        let said = self.broker().purge(name).await;
        self.end(said, after, true);
    }

    async fn handle(&mut self, name: &str, number: usize) {
        let mut after = self.model.clone();
        let Some(destination) = after.destinations.get_mut(name) else {
            return;
        };
        let open: Vec<_> = destination
            .places()
            .into_iter()
            .filter(|at| !destination.is_done(*at))
            .collect();
        let Some(number) = number.checked_rem(open.len()) else {
            return;
        };
        destination.handle(open[number]);
        let said = self
            .broker()
            .mark_handled(name, open[number].0, open[number].1)
            .await;
        self.end(said, after, true);
    }

    async fn seek(&mut self, name: &str, group: &str, to: Seek) {
        let known = self.model.destinations.get(name);
        if !known.is_some_and(|known| known.groups.contains_key(group)) {
            return;
        }
        self.look_at(name).await;
        let mut after = self.model.clone();
        let destination = after.destinations.get_mut(name).expect("there");
        let kept = destination.places();
        let (to, from) = match to {
            Seek::Earliest => (ReplayFrom::Earliest, vec![0; destination.partitions.len()]),
            Seek::Latest => (ReplayFrom::Latest, destination.ends()),
            Seek::Position(at) => {
                // Positions in memory do not begin with 0.
                let ends = destination.ends();
                let first = ends.iter().min().copied().unwrap_or(0);
                let at = first.saturating_sub(5) + at;
                let from = ends.iter().map(|end| at.min(*end)).collect();
                (ReplayFrom::Position(at), from)
            }
            Seek::Time(number) => {
                let Some(number) = number.checked_rem(kept.len()) else {
                    return;
                };
                let time = destination.kept(kept[number]).expect("kept").message.stamp;
                if time <= self.opened {
                    // Two processes agree on the time only as far as clocks can be read.
                    return;
                }
                (
                    ReplayFrom::Time(self.time.of(time)),
                    since(destination, time),
                )
            }
        };
        destination.seek(group, &from);
        let is_log = destination.is_log(group);
        let said = self.broker().seek(name, group, to).await;
        if self.end(said, after, true).is_some() && is_log {
            self.drop_held(name, group);
        }
    }

    async fn delete(&mut self, name: &str) {
        let mut after = self.model.clone();
        if after.destinations.remove(name).is_none() {
            return;
        }
        let said = self.broker().delete(name).await;
        self.consumers
            .retain(|consumer| consumer.destination != name);
        self.end(said, after, true);
    }
}

fn since(destination: &Destination, time: SystemTime) -> Vec<u64> {
    let first = destination.partitions.iter().map(|partition| {
        let mut kept = partition.kept.iter();
        let first = kept.find(|(_, kept)| kept.message.stamp >= time);
        first.map_or(partition.next, |(position, _)| *position)
    });
    first.collect()
}

fn places(delivered: &[mq_broker::Delivered]) -> Vec<(u32, u64)> {
    delivered
        .iter()
        .map(|one| (one.partition(), one.position()))
        .collect()
}

impl World {
    fn addressed(&self, all: &[(String, Message)]) -> Vec<Real> {
        let each = all
            .iter()
            .map(|(name, message)| self.real(message).destination(name.as_str()));
        each.collect()
    }
}
