//! Storing messages.

use mq_core::{
    binder::{Capability, Receipt},
    error::{Error, ErrorKind},
    message::{Message, Properties},
};
use tokio::sync::futures::OwnedNotified;

use super::{destination::Destination, keys::key_hash, log::Entry, number, state::State};
use crate::{
    error,
    options::{Full, Options},
};

/// What became of a message that was to be stored.
#[derive(Debug)]
pub(crate) enum Stored {
    /// It is stored here.
    At(Receipt),
    /// It cannot be stored.
    Refused(Error),
    /// It can be stored when there is room.
    Full(OwnedNotified),
}

/// The bytes of a message, as limits count them.
fn size(message: &Message) -> u64 {
    let headers = if message.is_plain() {
        0
    } else {
        message.as_headers().size()
    };
    (message.size() + headers) as u64
}

impl State {
    /// Stores a message; [`stored`](Self::stored) has to follow for this destination.
    #[inline]
    pub(crate) fn store(
        &mut self,
        index: usize,
        message: &Message,
        stamp: u64,
        options: &Options,
    ) -> Stored {
        let size = match check(message, options) {
            Ok(size) => size,
            Err(error) => return Stored::Refused(error),
        };
        let Some(destination) = self.destinations.get_mut(index) else {
            return Stored::Refused(Error::new(
                ErrorKind::Bug,
                "a destination is gone while it is written to",
            ));
        };
        let partitions = destination.logs.len();
        let key = match message.as_key() {
            Some(key) if options.keeps_key_order || partitions > 1 => key_hash(key),
            _ => 0,
        };
        if let Err(error) = partition_exists(message, destination) {
            return Stored::Refused(error);
        }
        let partition = match message.properties().partition {
            Some(partition) => partition as usize,
            None if partitions == 1 => 0,
            None if key != 0 => usize::try_from(key % partitions as u64).unwrap_or(0),
            None => destination.next_partition(),
        };
        if !destination.make_room(1, u64::from(size), options) {
            return if options.full == Full::Block {
                Stored::Full(destination.await_room())
            } else {
                Stored::Refused(error::full(&destination.name))
            };
        }
        let key = if options.keeps_key_order { key } else { 0 };
        let position = destination.store(partition, Entry::new(message, key, stamp, size));
        Stored::At(Receipt::at(number(partition), position))
    }

    /// Messages were stored in this destination: wakes who waits for them, and frees what is not kept any longer.
    pub(crate) fn stored(&mut self, destination: usize, options: &Options) {
        if let Some(destination) = self.destinations.get_mut(destination) {
            destination.sweep(options);
            for (_, group) in &destination.groups {
                group.wake(&mut self.members);
            }
        }
    }
}

/// Whether the destination has the partition that the message asks for.
#[inline]
pub(super) fn partition_exists(message: &Message, destination: &Destination) -> Result<(), Error> {
    let partitions = destination.logs.len();
    match message.properties().partition {
        Some(partition) if partition as usize >= partitions => Err(error::no_partition(
            &destination.name,
            partition,
            partitions,
        )),
        _ => Ok(()),
    }
}

/// Whether the broker takes such a message at all; returns its size.
pub(super) fn check(message: &Message, options: &Options) -> Result<u32, Error> {
    let size = size(message);
    let limit = options.largest;
    if size > limit {
        return Err(error::too_large(size, limit));
    }
    let properties = message.properties();
    if options.lacks_wishes {
        check_wishes(properties, options)?;
    }
    if properties.priority.is_some_and(|priority| priority > 9) {
        return Err(Error::new(
            ErrorKind::Rejected,
            "priorities go from 0 (lowest) to 9",
        ));
    }
    u32::try_from(size).map_err(|_| error::too_large(size, u64::from(u32::MAX)))
}

/// What a message may ask for, beyond being stored.
pub(crate) const WISHES: [Capability; 4] = [
    Capability::DelayedDelivery,
    Capability::Expiry,
    Capability::Priority,
    Capability::Partitions,
];

fn check_wishes(properties: &Properties, options: &Options) -> Result<(), Error> {
    let asks = [
        properties.deliver_at.is_some(),
        properties.expires_at.is_some(),
        properties.priority.is_some(),
        properties.partition.is_some_and(|partition| partition > 0),
    ];
    let mut refused = WISHES
        .iter()
        .zip(asks)
        .filter(|(wish, asks)| *asks && !options.has(**wish));
    refused
        .next()
        .map_or(Ok(()), |(wish, _)| Err(error::unsupported(wish.name())))
}
