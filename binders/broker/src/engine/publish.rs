//! Publishing.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use mq_core::{
    binder::Receipt,
    error::{Error, Result},
    message::Message,
};
use xxhash_rust::xxh3::xxh3_64;

use super::{commit::Ticket, room::DiskRoom, shared::Shared};
use crate::{
    error,
    options::{Durability, Full},
    record::{self, Change, Target},
    state::{Applied, Route},
};

/// Bytes of one call that go into one frame.
const PIECE: usize = 4 << 20;

/// A message that is to be stored.
#[derive(Debug)]
struct Outgoing<'a> {
    message: &'a Message,
    target: Target,
    durability: Durability,
}

/// Room that is taken until the messages are stored, or are not.
#[derive(Debug, Default)]
struct Reserved(Vec<(Arc<Route>, u64, u64)>);

impl Reserved {
    fn add(&mut self, route: &Arc<Route>, messages: u64, bytes: u64) {
        match self.0.last_mut() {
            Some((last, count, sum)) if Arc::ptr_eq(last, route) => {
                *count += messages;
                *sum += bytes;
            }
            _ => self.0.push((route.clone(), messages, bytes)),
        }
    }
}

/// Room that messages need that belong together: once for each destination.
#[derive(Debug, Default)]
struct Needs(Vec<(Arc<Route>, u64, u64)>);

impl Needs {
    fn add(&mut self, route: &Arc<Route>, bytes: u64) {
        match self
            .0
            .iter_mut()
            .find(|(known, ..)| Arc::ptr_eq(known, route))
        {
            Some((_, messages, sum)) => {
                *messages += 1;
                *sum += bytes;
            }
            None => self.0.push((route.clone(), 1, bytes)),
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        for (route, messages, bytes) in &self.0 {
            route.release(*messages, *bytes);
        }
    }
}

/// The result for each message of a call.
#[derive(Default)]
struct Results<'a> {
    outgoing: Vec<Outgoing<'a>>,
    /// Whether a message was taken, or why it was not.
    all: Vec<Result<(), Error>>,
    /// What became of those that were taken and are not outgoing any more.
    stored: Vec<Result<Receipt>>,
    failed: HashSet<(u32, u64)>,
    /// Whether any message has failed.
    is_broken: bool,
    reserved: Reserved,
}

impl Results<'_> {
    /// Why the message cannot be stored, if one that has to come before it was not.
    fn behind(&self, target: &Target) -> Option<Error> {
        if target.producer != 0 && self.is_broken {
            // A later number that is stored would make the missing one a repetition.
            return Some(error::behind_failed("publisher"));
        }
        let key = (target.destination, target.key);
        let is_behind = target.key != 0 && self.failed.contains(&key);
        is_behind.then(|| error::behind_failed("key"))
    }

    fn refuse(&mut self, error: Error) {
        self.is_broken = true;
        self.all.push(Err(error));
    }
}

/// The numbers of a call's messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// The publisher, and which opening of it.
    pub(crate) id: u64,
    pub(crate) epoch: u32,
    /// The number of the first message.
    pub(crate) first: u64,
}

/// Whether limits were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// A message is refused, or waits, where there is no room.
    Limits,
    /// What comes with settlements is never kept waiting.
    None,
}

impl Shared {
    /// Publishes messages, in order; the result of each comes when it is as durable as its destination says.
    pub(crate) async fn publish(
        &self,
        destination: &str,
        messages: &[Message],
        numbers: Option<Numbers>,
    ) -> Vec<Result<Receipt>> {
        if let ([message], None) = (messages, numbers)
            && let Some(written) = self.write_one(destination, message)
        {
            return vec![written.stored().await];
        }
        let mut results = Results {
            outgoing: Vec::with_capacity(messages.len()),
            all: Vec::with_capacity(messages.len()),
            ..Results::default()
        };
        self.gather.room().await;
        let mut last: Option<Arc<Route>> = None;
        for (number, message) in (0..).zip(messages) {
            let name = message
                .properties()
                .destination
                .as_deref()
                .unwrap_or(destination);
            if last.as_ref().is_none_or(|route| *route.name != *name) {
                last = match self.route(name).await {
                    Ok(route) => Some(route),
                    Err(error) => {
                        results.refuse(error);
                        None
                    }
                };
            }
            let Some(route) = &last else { continue };
            let own = numbers.map(|numbers| Numbers {
                first: numbers.first.saturating_add(number),
                ..numbers
            });
            self.prepare(route, message, own, &mut results).await;
        }
        self.store(results).await
    }

    async fn prepare<'a>(
        &self,
        route: &Arc<Route>,
        message: &'a Message,
        numbers: Option<Numbers>,
        results: &mut Results<'a>,
    ) {
        let prepared = self.target(route, message);
        let (mut target, size) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return results.refuse(error),
        };
        if let Some(numbers) = numbers {
            if route.options.durability == Durability::Memory {
                return results.refuse(error::numbered_in_memory(&route.name));
            }
            target.producer = numbers.id;
            target.epoch = numbers.epoch;
            target.sequence = numbers.first;
        }
        if let Some(error) = results.behind(&target) {
            return results.refuse(error);
        }
        let let_in = self.let_in(route, size, results).await;
        let made = match let_in {
            Ok(()) => self.make_room(route, size, results).await,
            refused => refused,
        };
        if let Err(error) = made {
            if target.key != 0 {
                results.failed.insert((route.id, target.key));
            }
            return results.refuse(error);
        }
        if let Some(error) = results.behind(&target) {
            route.release(1, size);
            return results.refuse(error);
        }
        results.reserved.add(route, 1, size);
        results.all.push(Ok(()));
        results.outgoing.push(Outgoing {
            message,
            target,
            durability: route.options.durability,
        });
    }

    /// Where a message goes, and its size.
    pub(super) fn target(&self, route: &Route, message: &Message) -> Result<(Target, u64)> {
        let size = record::size(message) as u64;
        // Limits count what a user can count: payload, key and headers.
        let own = (message.size() + message.as_headers().size()) as u64;
        if own > self.options.max_message {
            return Err(error::too_large(own, self.options.max_message));
        }
        if message.properties().priority.is_some() {
            return Err(error::unsupported("priority"));
        }
        let partitions = route.options.partitions;
        let key = message.as_key().map_or(0, |key| xxh3_64(key).max(1));
        let partition = match message.properties().partition {
            Some(partition) if partition >= partitions => {
                return Err(error::no_partition(&route.name, partition, partitions));
            }
            Some(partition) => partition,
            None if partitions == 1 => 0,
            None if key != 0 => u32::try_from(key % u64::from(partitions)).unwrap_or(0),
            None => route.load.turn.fetch_add(1, Ordering::Relaxed) % partitions,
        };
        let target = Target {
            destination: route.id,
            partition,
            key,
            ..Target::default()
        };
        Ok((target, size))
    }

    /// Waits while the disk has little room, and stores what the call has gathered before.
    async fn let_in(&self, route: &Route, size: u64, results: &mut Results<'_>) -> Result<()> {
        if self.room.level() != DiskRoom::Low || route.options.durability == Durability::Memory {
            return Ok(());
        }
        let Some(turn) = self.room.turn(size)? else {
            return Ok(());
        };
        if !results.outgoing.is_empty() {
            self.flush(results).await;
        }
        tokio::time::sleep_until(turn).await;
        Ok(())
    }

    /// Takes room for one message; before it waits, it stores what the call has gathered, so that no two calls wait for each other.
    async fn make_room(
        &self,
        route: &Arc<Route>,
        size: u64,
        results: &mut Results<'_>,
    ) -> Result<()> {
        loop {
            if self.reserve(route, 1, size)? {
                return Ok(());
            }
            let _waiting = route.waits();
            let room = route.load.room.notified();
            if self.reserve(route, 1, size)? {
                return Ok(());
            }
            if results.outgoing.is_empty() {
                self.check()?;
                room.await;
            } else {
                self.flush(results).await;
            }
        }
    }

    /// Takes room, if there is some; `false` is to wait.
    fn reserve(&self, route: &Route, messages: u64, bytes: u64) -> Result<bool> {
        if self.room.level() == DiskRoom::Out && route.options.durability != Durability::Memory {
            return Err(error::disk_full());
        }
        if route.is_stale() {
            return Err(error::has_changed(&route.name));
        }
        if route.options.full == Full::DropOldest && !route.is_closed() {
            route.add(messages, bytes);
            return Ok(true);
        }
        let is_reserved = route.reserve(messages, bytes);
        if !is_reserved && route.options.full == Full::Reject && !route.is_closed() {
            return Err(match route.is_overdue() {
                true => error::overdue(&route.name),
                false => error::full(&route.name),
            });
        }
        Ok(is_reserved)
    }

    /// Takes room for everything that belongs together, and waits without holding any.
    async fn make_room_together(&self, needs: &[(Arc<Route>, u64, u64)]) -> Result<Reserved> {
        'again: loop {
            let mut reserved = Reserved::default();
            for (route, messages, bytes) in needs {
                let _waiting = route.waits();
                let room = route.load.room.notified();
                if !self.reserve(route, *messages, *bytes)? {
                    drop(reserved);
                    self.check()?;
                    room.await;
                    continue 'again;
                }
                reserved.add(route, *messages, *bytes);
            }
            return Ok(reserved);
        }
    }

    /// Stores what is gathered.
    async fn flush(&self, results: &mut Results<'_>) {
        let outgoing = std::mem::take(&mut results.outgoing);
        let receipts = self.store_in_pieces(&outgoing).await;
        drop(std::mem::take(&mut results.reserved));
        match receipts {
            Ok(receipts) => results.stored.extend(receipts),
            Err(error) => {
                results.is_broken = true;
                for Outgoing { target, .. } in &outgoing {
                    if target.key != 0 {
                        results.failed.insert((target.destination, target.key));
                    }
                    results.stored.push(Err(repeated(&error)));
                }
            }
        }
    }

    async fn store(&self, mut results: Results<'_>) -> Vec<Result<Receipt>> {
        if !results.outgoing.is_empty() {
            self.flush(&mut results).await;
        }
        let mut stored = results.stored.into_iter();
        let each = results.all.into_iter().map(|one| {
            one?;
            let result = stored.next();
            result.unwrap_or_else(|| Err(error::bug("a message was taken and has no result")))
        });
        each.collect()
    }

    /// Stores messages in as few frames as hold them.
    async fn store_in_pieces(&self, outgoing: &[Outgoing<'_>]) -> Result<Vec<Result<Receipt>>> {
        let mut rest = outgoing;
        let mut tickets = Vec::new();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(self.piece(rest));
            if !tickets.is_empty() {
                self.gather.room().await;
            }
            let ticket = self.write_all(piece, &[], Durability::Os)?;
            if piece.iter().any(|out| out.target.producer != 0) {
                // Later numbers only behind those that are stored.
                ticket.wait().await?;
            }
            tickets.push((ticket, piece));
            rest = behind;
        }
        let mut receipts = Vec::with_capacity(outgoing.len());
        for (ticket, piece) in tickets {
            let positions = ticket.wait().await?.iter().zip(piece);
            receipts.extend(positions.map(|(position, out)| receipt(&out.target, *position)));
        }
        Ok(receipts)
    }

    /// How many messages go into one frame.
    fn piece(&self, outgoing: &[Outgoing<'_>]) -> usize {
        let limit = (PIECE as u64).min(self.frame_limit());
        let mut sum = 0;
        let fitting = outgoing.iter().take_while(|out| {
            sum += record::size(out.message) as u64;
            sum <= limit
        });
        fitting.count().max(1)
    }

    /// Bytes of one step, at most.
    fn frame_limit(&self) -> u64 {
        self.segments.size() / 4 * 3
    }

    /// Writes messages and changes into one frame.
    fn write_all(
        &self,
        outgoing: &[Outgoing<'_>],
        changes: &[Change],
        durability: Durability,
    ) -> Result<Ticket> {
        let sizes = outgoing.iter().map(|out| record::size(out.message) as u64);
        let (size, limit) = (sizes.sum::<u64>(), self.frame_limit());
        if size > limit {
            return Err(error::step_too_large(size, limit));
        }
        let ticket = self.gather.write(|frame| {
            frame.buffer.reserve(usize::try_from(size).unwrap_or(0));
            for out in outgoing {
                record::encode(&mut frame.buffer, out.message, &out.target);
                frame.need(out.durability);
            }
            for change in changes {
                change.encode(&mut frame.buffer);
            }
            frame.count(outgoing.len(), changes.len());
            frame.need(durability);
        });
        ticket.map_err(|error| self.refusal(error))
    }

    /// Publishes messages and applies changes, all or nothing.
    ///
    /// Returns where the messages were stored, and what became of the changes with them.
    /// Calls `written` as soon as they take effect whether or not anybody waits for it.
    pub(crate) async fn publish_with(
        &self,
        messages: &[(Arc<Route>, Message)],
        changes: &[Change],
        durability: Durability,
        checks: Checks,
        written: impl FnOnce(),
    ) -> Result<Vec<Receipt>> {
        if messages.is_empty() && changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut needs = Needs::default();
        let mut outgoing = Vec::with_capacity(messages.len());
        for (route, message) in messages {
            let (target, size) = self.target(route, message)?;
            needs.add(route, size);
            outgoing.push(Outgoing {
                message,
                target,
                durability: route.options.durability,
            });
        }
        if checks == Checks::Limits && changes.is_empty() {
            // A step that settles as well is what makes room.
            let sum = needs.0.iter().map(|(_, _, bytes)| *bytes).sum();
            if let Some(turn) = self.room.turn(sum)? {
                tokio::time::sleep_until(turn).await;
            }
        }
        let _reserved = match checks {
            Checks::Limits => self.make_room_together(&needs.0).await?,
            Checks::None => Reserved::default(),
        };
        let ticket = self.write_all(&outgoing, changes, durability)?;
        written();
        let positions = ticket.wait().await?;
        let each = positions.iter().zip(&outgoing);
        each.map(|(position, out)| receipt(&out.target, *position))
            .collect()
    }
}

pub(super) fn receipt(target: &Target, position: u64) -> Result<Receipt> {
    match position {
        Applied::DUPLICATE => Ok(Receipt::default()),
        Applied::FENCED => Err(error::fenced()),
        _ => Ok(Receipt::at(target.partition, position)),
    }
}

/// The same error once more: errors cannot be cloned.
fn repeated(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.message());
    match error.status() {
        mq_core::error::ErrorStatus::Temporary => same.temporary(),
        mq_core::error::ErrorStatus::Fatal => same.fatal(),
        mq_core::error::ErrorStatus::Permanent => same,
    }
}
