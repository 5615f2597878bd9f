//! Deliveries: cheap handles into the batch that they arrived with.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Batch, Lane, LaneId, Lanes, OutputIndex, OutputRange, Record, Staged, Staging, Turn};
use crate::message::{Headers, Message, MessageId, names};

/// A message that arrived: a handle that is cheap to clone (one atomic increment).
///
/// The right to settle is not in it: the loop holds that in one place, so that no clone can settle twice.
#[derive(Clone)]
pub struct Delivery {
    batch: Arc<Batch>,
    context: Option<Arc<Context>>,
    index: u32,
    failures: u32,
}

impl Delivery {
    /// The delivery of the record at `index`.
    ///
    /// # Panics
    /// If `index` is outside of the batch.
    #[must_use]
    pub fn new(batch: Arc<Batch>, index: u32) -> Self {
        let failures = batch.records[index as usize].attempts;
        Self {
            batch,
            context: None,
            index,
            failures,
        }
    }

    /// Every delivery of a batch, in order.
    pub(crate) fn all(batch: &Arc<Batch>) -> impl Iterator<Item = Self> {
        // A batch holds at most what was asked for, far below 2^32.
        let len = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        (0..len).map(|index| Self::new(batch.clone(), index))
    }

    /// A delivery that did not come from a broker: for tests of listeners and layers.
    #[must_use]
    pub fn of(message: Message) -> Self {
        let mut lanes = Lanes::default();
        lanes.set(
            LaneId(0),
            Lane {
                destination: "test".into(),
                partition: 0,
            },
        );
        let record = Record {
            message,
            ..Record::default()
        };
        Self::new(Arc::new(Batch::new(vec![record], Arc::new(lanes))), 0)
    }

    /// The record as the binder handed it over.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.batch.records[self.index as usize]
    }

    /// Names it within its consumer.
    pub(crate) fn place(&self) -> (LaneId, u64) {
        let record = self.record();
        (record.lane, record.position)
    }

    /// This record and those behind it in its batch, `count` altogether.
    pub(crate) fn records(&self, count: usize) -> &[Record] {
        let index = self.index as usize;
        &self.batch.records[index..index + count]
    }

    /// Its turn, if that was found out when it arrived.
    #[inline]
    pub(crate) fn turn(&self) -> Option<Turn> {
        self.batch.turns.get(self.index as usize).copied()
    }

    /// Its place in the batch.
    pub(crate) fn index(&self) -> usize {
        self.index as usize
    }

    /// The batch it arrived with.
    pub(crate) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The delivery so many places behind it in its batch, as it arrived.
    pub(crate) fn behind(&self, places: usize) -> Self {
        // A batch has fewer than 2^32 records.
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        Self::new(self.batch.clone(), self.index.saturating_add(places))
    }

    /// The delivery behind it in its batch, as it arrived.
    #[inline]
    pub(crate) fn next(self) -> Self {
        Self::new(self.batch, self.index + 1)
    }

    /// Becomes the delivery behind it in its batch, as it arrived.
    #[inline]
    pub(crate) fn step(&mut self) {
        self.index += 1;
        self.failures = self.record().attempts;
        self.context = None;
    }

    /// Puts the same delivery without its context into `kept`; what is there is changed and not replaced where it is of the same
    /// batch, so that nothing is counted.
    #[inline(always)]
    pub(crate) fn keep_in<'a>(&self, kept: &'a mut Option<Self>) -> &'a Self {
        if !kept
            .as_ref()
            .is_some_and(|kept| Arc::ptr_eq(&kept.batch, &self.batch))
        {
            *kept = None;
        }
        let kept = kept.get_or_insert_with(|| Self {
            batch: self.batch.clone(),
            context: None,
            index: 0,
            failures: 0,
        });
        kept.index = self.index;
        kept.failures = self.failures;
        kept
    }

    /// Whether it stands `count` places behind `first` in the same batch, and is as it arrived.
    #[inline(always)]
    pub(crate) fn is_after(&self, first: &Self, count: usize) -> bool {
        Arc::ptr_eq(&self.batch, &first.batch)
            && self.index as usize == first.index as usize + count
            && self.failures == self.record().attempts
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.record().message
    }

    /// The message's headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.message().as_headers()
    }

    /// Where it came from.
    #[must_use]
    pub fn lane(&self) -> Option<&Lane> {
        self.batch.lanes.get(self.record().lane)
    }

    /// The destination it was read from.
    #[must_use]
    pub fn destination(&self) -> &str {
        self.lane().map_or("", |lane| &lane.destination)
    }

    /// The partition it was read from; 0 where there are none.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.lane().map_or(0, |lane| lane.partition)
    }

    /// Failed attempts before this one.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// The message's id: its own, else one derived from destination, partition and position.
    #[must_use]
    pub fn id(&self) -> MessageId {
        let record = self.record();
        match record.message.as_id() {
            Some(id) => id.clone(),
            None => self.batch.lanes.id(record.lane, record.position),
        }
    }

    /// The same delivery for an attempt after `failures` failed ones, with a context of its own.
    #[must_use]
    pub(crate) fn after_failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self.context = None;
        self
    }
}

/// Outputs.
impl Delivery {
    /// Keeps the outputs that `put` adds until the loop publishes them; returns their place, which belongs into the response.
    ///
    /// Each goes through `finish` where it is kept: a message is wide.
    #[inline(always)]
    pub(crate) fn stage(
        &self,
        put: impl FnOnce(&mut Staging),
        mut finish: impl FnMut(OutputIndex, &mut Message),
    ) -> OutputRange {
        let mut staged = self.batch.staged();
        let start = staged.len();
        put(&mut staged);
        for place in start..staged.len() {
            if let Some((output, message)) = staged.at(place) {
                finish(output, message);
            }
        }
        let len = staged.len() - start;
        // A batch holds fewer than 2^32 outputs: each is a message in memory.
        OutputRange {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            len: u32::try_from(len).unwrap_or(0),
        }
    }

    /// Takes staged outputs out again, in order.
    pub fn take_outputs(&self, range: OutputRange, each: impl FnMut(Staged)) {
        if !range.is_empty() {
            self.batch.staged().take(range, each);
        }
    }

    /// Lets `into` take the messages of `range`, if these are all that are staged and go to one output; false if they are not.
    pub(crate) fn take_all_outputs(
        &self,
        range: OutputRange,
        into: impl FnOnce(OutputIndex, &mut Vec<Message>),
    ) -> bool {
        self.batch.staged().take_all(range, into)
    }
}

/// What a message causes.
impl Delivery {
    /// Gives the trace context and the correlation id to a message that is made from this one, unless it has its own.
    #[inline]
    pub fn pass_on(&self, message: &mut Message) {
        if !self.message().is_plain() {
            self.pass_on_headers(message);
        }
    }

    fn pass_on_headers(&self, message: &mut Message) {
        for name in [names::TRACEPARENT, names::TRACESTATE, names::BAGGAGE] {
            if let Some(value) = self.headers().get(name)
                && message.as_headers().get(name).is_none()
            {
                message.headers_mut().append(name, value.clone());
            }
        }
        if let Some(id) = &self.message().properties().correlation_id
            && message.properties().correlation_id.is_none()
        {
            message.properties_mut().correlation_id = Some(id.clone());
        }
    }
}

/// The attempt's context: what layers leave for extractors. Costs nothing while it is empty.
impl Delivery {
    /// Leaves a value for this attempt, replacing one of the same type. Clones made afterwards share it.
    pub fn insert<T: Send + 'static>(&mut self, value: T) {
        let context = self.context.get_or_insert_default();
        let mut values = context.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.retain(|old| !old.is::<T>());
        values.push(Box::new(value));
    }

    /// A copy of the value of this type.
    #[must_use]
    pub fn get<T: Clone + 'static>(&self) -> Option<T> {
        let values = self
            .context
            .as_ref()?
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        values
            .iter()
            .find_map(|value| value.downcast_ref::<T>())
            .cloned()
    }

    /// Takes the value of this type out.
    #[must_use]
    pub fn take<T: 'static>(&self) -> Option<T> {
        let mut values = self
            .context
            .as_ref()?
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let index = values.iter().position(|value| value.is::<T>())?;
        values
            .swap_remove(index)
            .downcast()
            .ok()
            .map(|value| *value)
    }
}

#[derive(Default)]
struct Context(Mutex<Vec<Box<dyn Any + Send>>>);

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("destination", &self.destination())
            .field("partition", &self.partition())
            .field("position", &self.record().position)
            .field("attempt", &self.attempt())
            .field("message", self.message())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_taken_once_and_in_order() {
        let delivery = Delivery::of(Message::new("in"));
        let message = |text: &'static str| Message::new(text);
        let _first = delivery.stage(
            |staged| staged.push(OutputIndex(0), message("a")),
            |_, _| {},
        );
        let mut finished = Vec::new();
        let range = delivery.stage(
            |staged| {
                staged.push(OutputIndex(0), message("b"));
                staged.push(OutputIndex(0), message("c"));
            },
            |_, message| finished.push(message.as_bytes().to_vec()),
        );
        assert_eq!(finished, [b"b".to_vec(), b"c".to_vec()]);
        let mut seen = Vec::new();
        delivery.take_outputs(range, |output| {
            seen.push(output.message.as_bytes().to_vec());
        });
        delivery.take_outputs(range, |_| panic!("taken twice"));
        assert_eq!(seen, [b"b".to_vec(), b"c".to_vec()]);
    }

    #[test]
    fn the_context_is_shared_by_clones_and_fresh_for_the_next_attempt() {
        let mut delivery = Delivery::of(Message::new("in"));
        delivery.insert(7_u32);
        let clone = delivery.clone();
        assert_eq!(clone.get::<u32>(), Some(7));
        assert_eq!(clone.take::<u32>(), Some(7));
        assert_eq!(delivery.get::<u32>(), None);
        assert_eq!(delivery.after_failures(1).attempt(), 2);
    }

    #[test]
    fn a_message_without_an_id_is_known_by_its_position() {
        assert_eq!(
            Delivery::of(Message::new("a")).id(),
            Delivery::of(Message::new("b")).id()
        );
        assert_eq!(Delivery::of(Message::new("a").id("x")).id(), "x".into());
    }
}
