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

use super::{commit::Ticket, shared::Shared};
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
    fn add(&mut self, route: &Arc<Route>, bytes: u64) {
        match self.0.last_mut() {
            Some((last, messages, sum)) if Arc::ptr_eq(last, route) => {
                *messages += 1;
                *sum += bytes;
            }
            _ => self.0.push((route.clone(), 1, bytes)),
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
struct Results<'a> {
    outgoing: Vec<Outgoing<'a>>,
    /// Either the number among those outgoing, or why it is none.
    all: Vec<Result<u32, Error>>,
    failed: HashSet<(u32, u64)>,
    reserved: Reserved,
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
        publisher: Option<(u64, u64)>,
    ) -> Vec<Result<Receipt>> {
        if let ([message], None) = (messages, publisher)
            && let Some(written) = self.write_one(destination, message)
        {
            return vec![written.stored().await];
        }
        let mut results = Results {
            outgoing: Vec::with_capacity(messages.len()),
            all: Vec::with_capacity(messages.len()),
            failed: HashSet::new(),
            reserved: Reserved::default(),
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
                        results.all.push(Err(error));
                        None
                    }
                };
            }
            let Some(route) = &last else { continue };
            let publisher = publisher.map(|(id, first)| (id, first + number));
            self.prepare(route, message, publisher, &mut results).await;
        }
        self.store(results).await
    }

    async fn prepare<'a>(
        &self,
        route: &Arc<Route>,
        message: &'a Message,
        publisher: Option<(u64, u64)>,
        results: &mut Results<'a>,
    ) {
        let prepared = self.target(route, message);
        let (mut target, size) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return results.all.push(Err(error)),
        };
        if target.key != 0 && results.failed.contains(&(route.id, target.key)) {
            return results.all.push(Err(error::behind_failed()));
        }
        if let Err(error) = self.make_room(route, size).await {
            if target.key != 0 {
                results.failed.insert((route.id, target.key));
            }
            return results.all.push(Err(error));
        }
        results.reserved.add(route, size);
        if let Some((id, sequence)) = publisher {
            (target.producer, target.sequence) = (id, sequence);
        }
        results
            .all
            .push(Ok(u32::try_from(results.outgoing.len()).unwrap_or(u32::MAX)));
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
            None => route.turn.fetch_add(1, Ordering::Relaxed) % partitions,
        };
        let target = Target {
            destination: route.id,
            partition,
            key,
            ..Target::default()
        };
        Ok((target, size))
    }

    async fn make_room(&self, route: &Route, size: u64) -> Result<()> {
        if self.is_tight() {
            return Err(error::disk_full());
        }
        if route.options.full == Full::DropOldest {
            route.add(1, size);
            return Ok(());
        }
        if route.reserve(1, size) {
            return Ok(());
        }
        if route.options.full == Full::Reject {
            return Err(error::full(&route.name));
        }
        route.wait(size, || self.check()).await
    }

    async fn store(&self, results: Results<'_>) -> Vec<Result<Receipt>> {
        let Results {
            outgoing,
            all,
            failed: _,
            reserved,
        } = results;
        if outgoing.is_empty() {
            return all
                .into_iter()
                .map(|one| one.map(|_| Receipt::default()))
                .collect();
        }
        let receipts = self.store_in_pieces(&outgoing).await;
        drop(reserved);
        let receipts: Vec<Receipt> = match receipts {
            Ok(receipts) => receipts,
            Err(error) => {
                let each = all
                    .into_iter()
                    .map(|one| one.and_then(|_| Err(repeated(&error))));
                return each.collect();
            }
        };
        let each = all
            .into_iter()
            .map(|one| one.map(|number| receipts[number as usize]));
        each.collect()
    }

    /// Stores messages in as few frames as hold them.
    async fn store_in_pieces(&self, outgoing: &[Outgoing<'_>]) -> Result<Vec<Receipt>> {
        let mut rest = outgoing;
        let mut tickets = Vec::new();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(piece(rest));
            if !tickets.is_empty() {
                self.gather.room().await;
            }
            tickets.push((self.write_all(piece, &[], Durability::Os)?, piece));
            rest = behind;
        }
        let mut receipts = Vec::with_capacity(outgoing.len());
        for (ticket, piece) in tickets {
            let positions = ticket.wait().await?.iter().zip(piece);
            receipts.extend(positions.map(|(position, out)| receipt(&out.target, *position)));
        }
        Ok(receipts)
    }

    /// Writes messages and changes into one frame.
    fn write_all(
        &self,
        outgoing: &[Outgoing<'_>],
        changes: &[Change],
        durability: Durability,
    ) -> Result<Ticket> {
        let sizes = outgoing.iter().map(|out| record::size(out.message) as u64);
        let (size, limit) = (sizes.sum::<u64>(), self.segments.size() / 4 * 3);
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
    pub(crate) async fn publish_with(
        &self,
        messages: &[(Arc<Route>, Message)],
        changes: &[Change],
        durability: Durability,
        checks: Checks,
    ) -> Result<Vec<Receipt>> {
        if messages.is_empty() && changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut reserved = Reserved::default();
        let mut outgoing = Vec::with_capacity(messages.len());
        for (route, message) in messages {
            let (target, size) = self.target(route, message)?;
            match checks {
                Checks::Limits => self.make_room(route, size).await?,
                Checks::None => route.add(1, size),
            }
            reserved.add(route, size);
            outgoing.push(Outgoing {
                message,
                target,
                durability: route.options.durability,
            });
        }
        let ticket = self.write_all(&outgoing, changes, durability)?;
        let positions = ticket.wait().await?;
        let each = positions.iter().zip(&outgoing);
        Ok(each
            .map(|(position, out)| receipt(&out.target, *position))
            .collect())
    }
}

/// How many messages go into one frame.
fn piece(outgoing: &[Outgoing<'_>]) -> usize {
    let mut sum = 0;
    let fitting = outgoing.iter().take_while(|out| {
        sum += record::size(out.message);
        sum <= PIECE
    });
    fitting.count().max(1)
}

pub(super) fn receipt(target: &Target, position: u64) -> Receipt {
    if position == Applied::DUPLICATE {
        return Receipt::default();
    }
    Receipt::at(target.partition, position)
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
