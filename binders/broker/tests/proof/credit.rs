//! Credit in bytes.

use mq_broker::Delivered;

use crate::{
    model::{Destination, Place},
    world::World,
};

/// Bytes that a message counts.
fn size(body: usize, has_key: bool) -> u64 {
    80 + body as u64 + u64::from(has_key)
}

fn size_of(one: &Delivered) -> u64 {
    let message = one.message();
    let is_letter = !message.as_headers().is_empty();
    assert!(!is_letter, "nobody reads dead letters here");
    size(message.as_bytes().len(), message.as_key().is_some())
}

impl Destination {
    fn sizes(&self, places: &[Place]) -> Vec<u64> {
        let kept = places.iter().filter_map(|at| self.kept(*at));
        kept.map(|kept| size(kept.message.size, kept.message.key.is_some()))
            .collect()
    }
}

impl World {
    /// How many of these messages the consumer is to ask for, so that it gets at least one: all that it wants where all fit, one where
    /// any of them fits, none where it gets none. `None` depends on which of them comes first.
    pub(crate) fn allowed(&self, who: usize, places: &[Place], max: usize) -> Option<usize> {
        let consumer = &self.consumers[who];
        let sizes = self.model.destinations[&consumer.destination].sizes(places);
        let (Some(least), Some(most)) = (sizes.iter().min(), sizes.iter().max()) else {
            return Some(0);
        };
        let Some(bytes) = consumer.bytes else {
            return Some(max);
        };
        let held: u64 = consumer.held.iter().map(size_of).sum();
        assert!(
            held <= bytes || consumer.held.len() == 1,
            "{held} bytes of {bytes} are out"
        );
        if consumer.held.is_empty() {
            return Some(1);
        }
        let left = bytes.saturating_sub(held);
        match () {
            () if sizes.iter().sum::<u64>() <= left => Some(max),
            () if *most <= left => Some(1),
            () if *least > left => Some(0),
            () => None,
        }
    }
}
