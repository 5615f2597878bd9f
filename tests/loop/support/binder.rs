//! The scripted broker's side of the contract.

use std::sync::Arc;

use async_trait::async_trait;
use mq::{
    binder::{
        Admin, Binder, Capabilities, Consumer, ConsumerSpec, DestinationPlan, Event, Health,
        Lag, LaneId, Producer, ProducerSpec, ProvisionReport, Receipt, Receipts, Record,
        RetryState, Settlement, Settler, Transaction, Unsettled,
    },
    error::{Error, ErrorKind, Result},
    message::Message,
    policy::Provision,
};
use tokio::time::{Instant, sleep_until};

use super::broker::{LaneRef, Member, Progress, Seen, Shared, Slot, State, away};

pub struct ScriptedBinder(pub Arc<Shared>);

impl std::fmt::Debug for ScriptedBinder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScriptedBinder")
    }
}

impl ScriptedBinder {
    fn here(&self) -> Result<()> {
        if self.0.lock().script.is_away {
            Err(away())
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl Binder for ScriptedBinder {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    async fn provision(&self, plan: &[DestinationPlan], _: Provision) -> Result<ProvisionReport> {
        self.here()?;
        let mut state = self.0.lock();
        for one in plan {
            state.ensure(&one.name, one.partitions.unwrap_or(self.0.partitions));
        }
        Ok(ProvisionReport::default())
    }

    async fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        self.here()?;
        let number = self.0.change(|state| subscribe(state, spec, self.0.partitions))?;
        Ok(Box::new(ScriptedConsumer {
            shared: self.0.clone(),
            number,
        }))
    }

    async fn producer(&self, spec: &ProducerSpec) -> Result<Arc<dyn Producer>> {
        Ok(Arc::new(ScriptedProducer {
            shared: self.0.clone(),
            destination: spec.destination.clone(),
        }))
    }

    fn health(&self) -> Health {
        Health::Up
    }

    fn admin(&self) -> &dyn Admin {
        self
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Admin for ScriptedBinder {
    async fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        let mut state = self.0.lock();
        let logs = state.destinations.get(destination);
        let ends: Vec<u64> = logs.into_iter().flatten().map(|log| log.len() as u64).collect();
        let is_positional = !self.0.capabilities.settles_each();
        let mut messages = 0;
        for (partition, end) in ends.into_iter().enumerate() {
            let progress = state.progress(destination, group, partition as u32);
            messages += if is_positional {
                end - progress.committed
            } else {
                progress.slots.len() as u64 + end - progress.next
            };
        }
        Ok(Lag::new(messages, None))
    }
}

fn subscribe(state: &mut State, spec: &ConsumerSpec, partitions: u32) -> Result<u64> {
    if let Some(error) = state.script.subscribe.pop_front() {
        return Err(error);
    }
    state.last_member += 1;
    let number = state.last_member;
    let member = Member {
        group: spec.group.as_deref().map(str::to_owned),
        lanes: Vec::new(),
        events: std::collections::VecDeque::new(),
        out: 0,
    };
    state.members.insert(number, member);
    let mut assigned = Vec::new();
    for destination in &spec.destinations {
        let count = state.ensure(destination, partitions).len() as u32;
        for partition in 0..count {
            assigned.push(state.assign(number, destination, partition));
        }
    }
    let events = &mut state.members.get_mut(&number).expect("just made").events;
    events.push_back(Ok(Event::Assigned(assigned)));
    state.note(Seen::Subscribed);
    Ok(number)
}

struct ScriptedConsumer {
    shared: Arc<Shared>,
    number: u64,
}

/// What there is for a consumer.
enum Found {
    Event(Result<Event>),
    Nothing(Option<Instant>),
}

#[async_trait]
impl Consumer for ScriptedConsumer {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let due = match self.look(records, max) {
                Found::Event(event) => return event,
                Found::Nothing(due) => due,
            };
            tokio::select! {
                _ = changed.changed() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(ScriptedSettler {
            shared: self.shared.clone(),
            number: self.number,
        })
    }

    async fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.shared.change(|state| {
            state.note(Seen::Released(lanes.to_vec()));
            if let Some(member) = state.members.get_mut(&self.number) {
                lanes
                    .iter()
                    .for_each(|lane| member.lanes[lane.0 as usize] = None);
            }
        });
        Ok(())
    }

    async fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.set_paused(lanes, true);
        self.shared
            .change(|state| state.note(Seen::Paused(lanes.to_vec())));
        Ok(())
    }

    async fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.set_paused(lanes, false);
        self.shared
            .change(|state| state.note(Seen::Resumed(lanes.to_vec())));
        Ok(())
    }

    async fn transaction(&mut self) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(ScriptedTransaction {
            shared: self.shared.clone(),
            number: self.number,
            messages: Vec::new(),
            settlements: Vec::new(),
        }))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.shared.change(|state| state.note(Seen::Closed));
        Ok(())
    }
}

impl ScriptedConsumer {
    fn set_paused(&self, lanes: &[LaneId], paused: bool) {
        self.shared.change(|state| {
            let member = state.members.get_mut(&self.number).expect("a member");
            for lane in lanes {
                if let Some(lane) = &mut member.lanes[lane.0 as usize] {
                    lane.paused = paused;
                }
            }
        });
    }

    fn look(&self, records: &mut Vec<Record>, max: usize) -> Found {
        let state = &mut *self.shared.lock();
        state.receives += 1;
        let Some(member) = state.members.get_mut(&self.number) else {
            return Found::Event(Err(Error::new(ErrorKind::Closed, "gone").fatal()));
        };
        if let Some(event) = member.events.pop_front() {
            return Found::Event(event);
        }
        let (before, mut due) = (records.len(), None);
        for index in 0..state.members[&self.number].lanes.len() {
            let room = max - (records.len() - before);
            let lane = state.members[&self.number].lanes[index].clone();
            if let Some(lane) = lane.filter(|lane| !lane.paused && room > 0) {
                let next = self.take(state, LaneId(index as u32), &lane, records, room);
                due = [due, next].into_iter().flatten().min();
            }
        }
        let taken = records.len() - before;
        let member = state.members.get_mut(&self.number).expect("still there");
        member.out += taken;
        state.most_out = state.most_out.max(member.out);
        if taken > 0 {
            Found::Event(Ok(Event::Messages))
        } else {
            Found::Nothing(due)
        }
    }

    /// Takes messages of one lane; returns when the next one is ready.
    fn take(
        &self,
        state: &mut State,
        id: LaneId,
        lane: &LaneRef,
        records: &mut Vec<Record>,
        room: usize,
    ) -> Option<Instant> {
        let group = state.members[&self.number].group.clone().unwrap_or_default();
        let log = &state.destinations[&lane.destination][lane.partition as usize];
        let record = |position: u64, slot: &Slot| Record {
            message: log[position as usize].clone(),
            lane: id,
            position,
            epoch: lane.epoch,
            attempts: if self.shared.capabilities.retry_state == RetryState::None {
                0
            } else {
                slot.attempts
            },
            deliveries: Some(slot.deliveries),
            due: slot.due,
        };
        if !self.shared.capabilities.settles_each() {
            let end = (lane.cursor + room as u64).min(log.len() as u64);
            records.extend((lane.cursor..end).map(|position| record(position, &Slot::default())));
            let member = state.members.get_mut(&self.number)?;
            member.lanes[id.0 as usize].as_mut()?.cursor = end;
            return None;
        }
        let place = (lane.destination.clone(), group, lane.partition);
        let progress = state.progress.entry(place).or_default();
        progress.take(self.number, room, log.len() as u64, |position, slot| {
            records.push(record(position, slot));
        })
    }
}

impl Progress {
    fn take(
        &mut self,
        number: u64,
        room: usize,
        end: u64,
        mut each: impl FnMut(u64, &Slot),
    ) -> Option<Instant> {
        let (mut left, now, mut due) = (room, Instant::now(), None);
        for (position, slot) in &mut self.slots {
            match slot.not_before {
                _ if slot.out.is_some() || left == 0 => continue,
                Some(at) if at > now => {
                    due = [due, Some(at)].into_iter().flatten().min();
                    continue;
                }
                _ => {}
            }
            slot.out = Some(number);
            slot.deliveries += 1;
            left -= 1;
            each(*position, slot);
        }
        while left > 0 && self.next < end {
            let slot = Slot {
                deliveries: 1,
                out: Some(number),
                ..Slot::default()
            };
            each(self.next, &slot);
            self.slots.insert(self.next, slot);
            self.next += 1;
            left -= 1;
        }
        due
    }
}

impl Drop for ScriptedConsumer {
    fn drop(&mut self) {
        self.shared.change(|state| state.leave(self.number));
    }
}

struct ScriptedSettler {
    shared: Arc<Shared>,
    number: u64,
}

#[async_trait]
impl Settler for ScriptedSettler {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        if self.shared.lock().script.is_away {
            return Err(away());
        }
        if let Some(error) = self.shared.lock().script.settle_calls.pop_front() {
            return Err(error);
        }
        let one = |(index, settlement)| {
            let result = self
                .shared
                .change(|state| state.settle(self.number, settlement));
            result.err().map(|error| Unsettled { index, error })
        };
        Ok(settlements.iter().enumerate().filter_map(one).collect())
    }
}

struct ScriptedProducer {
    shared: Arc<Shared>,
    destination: Arc<str>,
}

#[async_trait]
impl Producer for ScriptedProducer {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        let mut confirming = self.shared.confirming.subscribe();
        let _ = confirming.wait_for(|confirming| *confirming).await;
        let mut failed = Vec::new();
        let mut publish = |message: &Message| {
            let key = message.as_key().cloned();
            let behind = key.is_some() && failed.contains(&key);
            let result = if behind {
                Err(away())
            } else {
                self.store(message)
            };
            if result.as_ref().is_err_and(Error::is_temporary) {
                failed.push(key);
            }
            result
        };
        messages.iter().map(&mut publish).collect()
    }
}

impl ScriptedProducer {
    fn store(&self, message: &Message) -> Result<Receipt> {
        let destination = message.properties().destination.as_ref();
        let destination = destination.unwrap_or(&self.destination).to_string();
        self.shared.change(|state| {
            let script = &mut state.script;
            let refused = match &mut script.publish {
                _ if script.is_away => Some(away()),
                Some(fail) => fail(&destination, message),
                None => None,
            };
            if let Some(error) = refused {
                state.note(Seen::Refused { destination });
                return Err(error);
            }
            let (partition, position) =
                state.store(&destination, self.shared.partitions, message.clone());
            let message = message.clone();
            state.note(Seen::Published {
                destination,
                message,
            });
            Ok(Receipt::at(partition, position))
        })
    }
}

struct ScriptedTransaction {
    shared: Arc<Shared>,
    number: u64,
    messages: Vec<Message>,
    settlements: Vec<Settlement>,
}

#[async_trait]
impl Transaction for ScriptedTransaction {
    async fn publish(&mut self, messages: &[Message]) -> Result<()> {
        self.messages.extend_from_slice(messages);
        Ok(())
    }

    async fn settle(&mut self, settlements: &[Settlement]) -> Result<()> {
        self.settlements.extend_from_slice(settlements);
        Ok(())
    }

    async fn commit(&mut self) -> Result<Receipts> {
        let partitions = self.shared.partitions;
        self.shared.change(|state| {
            if let Some(error) = state.script.commit.pop_front() {
                return Err(error);
            }
            if !self.settlements.iter().all(|one| state.owns(self.number, one)) {
                return Err(Error::new(ErrorKind::Lost, "fenced"));
            }
            for settlement in self.settlements.drain(..) {
                let _ = state.settle(self.number, &settlement);
            }
            let mut receipts = Vec::new();
            for message in self.messages.drain(..) {
                let destination = message.properties().destination.clone();
                let destination = destination.expect("messages name theirs").to_string();
                let (partition, position) = state.store(&destination, partitions, message.clone());
                state.note(Seen::Published {
                    destination,
                    message,
                });
                receipts.push(Receipt::at(partition, position));
            }
            state.note(Seen::Committed);
            Ok(receipts)
        })
    }

    async fn abort(&mut self) -> Result<()> {
        self.messages.clear();
        self.settlements.clear();
        self.shared.change(|state| state.note(Seen::Aborted));
        Ok(())
    }
}
