//! `Batch<P>`: many payloads at once.

use std::future::Future;

use super::{Extract, PayloadValue, Preparation, Standing};
use crate::{
    binder::{Deliveries, Delivery, Record},
    error::Result,
    middleware::Arrival,
    outcome::Failure,
};

/// A parameter of a batch listener: one [`Batch`], and anything [`Standing`] beside it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken as a parameter of a batch listener",
    label = "not an extractor for batches",
    note = "take the messages as `Batch<Json<T>>`, `Batch<Text>` or `Batch<Bytes>`, and `State<T>` or `Output<T>` beside it",
    note = "`T` in `Batch<Json<T>>` derives `serde::Deserialize`"
)]
pub trait ExtractBatch: Sized + Send {
    /// Whether this is the batch itself; a batch listener has exactly one.
    const BATCH: bool = false;

    /// What is found out once, at start.
    type Prepared: Send + Sync + 'static;

    /// Finds out what every extraction needs.
    ///
    /// # Errors
    /// Something is missing; the application does not start.
    fn prepare(start: &mut Preparation<'_>) -> Result<Self::Prepared>;

    /// Makes the parameter; items that cannot be read go into `failed` with their index.
    fn extract(
        prepared: &Self::Prepared,
        deliveries: &Deliveries,
        failed: &mut Vec<(usize, Failure)>,
    ) -> impl Future<Output = Result<Self, Failure>> + Send;
}

#[diagnostic::do_not_recommend]
impl<T: Standing> ExtractBatch for T {
    type Prepared = T::Prepared;

    fn prepare(start: &mut Preparation<'_>) -> Result<T::Prepared> {
        <T as Extract>::prepare(start)
    }

    async fn extract(
        prepared: &T::Prepared,
        _: &Deliveries,
        _: &mut Vec<(usize, Failure)>,
    ) -> Result<Self, Failure> {
        Ok(T::standing(prepared))
    }
}

/// The payloads of a batch, in the order in which they arrived.
///
/// An item that does not decode is dead-lettered alone and is not in here.
#[derive(Debug)]
pub struct Batch<P> {
    payloads: Vec<P>,
    /// One for each payload.
    deliveries: Deliveries,
}

/// One payload of a batch, with its delivery; iterating over a `&Batch<P>` yields `BatchItem<&P>`.
#[derive(Clone, Debug)]
pub struct BatchItem<P> {
    /// The payload.
    pub payload: P,
    /// The delivery: key, headers, attempt.
    pub delivery: Delivery,
}

impl<P> Batch<P> {
    /// How many payloads there are, at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Never true in a listener: an empty batch is not handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// Every payload.
    #[must_use]
    pub fn payloads(&self) -> &[P] {
        &self.payloads
    }

    /// The delivery of each payload.
    #[must_use]
    pub fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// Every payload with its delivery.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, P> {
        Iter {
            payloads: self.payloads.iter(),
            deliveries: self.deliveries.as_slice().iter(),
        }
    }
}

impl<P: PayloadValue> Batch<P> {
    /// The values inside the payloads.
    #[must_use]
    pub fn values(&self) -> impl ExactSizeIterator<Item = &P::Value> {
        self.payloads.iter().map(P::value)
    }
}

/// The payloads of a batch, each with its delivery.
#[derive(Clone, Debug)]
pub struct Iter<'a, P> {
    payloads: std::slice::Iter<'a, P>,
    deliveries: std::slice::Iter<'a, Delivery>,
}

impl<'a, P> Iterator for Iter<'a, P> {
    type Item = BatchItem<&'a P>;

    fn next(&mut self) -> Option<BatchItem<&'a P>> {
        let (payload, delivery) = (self.payloads.next()?, self.deliveries.next()?.clone());
        Some(BatchItem { payload, delivery })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.payloads.size_hint()
    }
}

impl<P> ExactSizeIterator for Iter<'_, P> {}

/// The payloads of a batch themselves, each with its delivery.
#[derive(Debug)]
pub struct IntoIter<P> {
    payloads: std::vec::IntoIter<P>,
    deliveries: Deliveries,
}

impl<P> Iterator for IntoIter<P> {
    type Item = BatchItem<P>;

    fn next(&mut self) -> Option<BatchItem<P>> {
        let index = self.deliveries.len().checked_sub(self.payloads.len())?;
        let payload = self.payloads.next()?;
        let delivery = self.deliveries.as_slice().get(index)?.clone();
        Some(BatchItem { payload, delivery })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.payloads.size_hint()
    }
}

impl<P> ExactSizeIterator for IntoIter<P> {}

impl<P> IntoIterator for Batch<P> {
    type Item = BatchItem<P>;
    type IntoIter = IntoIter<P>;

    fn into_iter(self) -> IntoIter<P> {
        IntoIter {
            payloads: self.payloads.into_iter(),
            deliveries: self.deliveries,
        }
    }
}

impl<'a, P> IntoIterator for &'a Batch<P> {
    type Item = BatchItem<&'a P>;
    type IntoIter = Iter<'a, P>;

    fn into_iter(self) -> Iter<'a, P> {
        self.iter()
    }
}

/// A batch that is being read.
struct Reading<'a, P> {
    count: usize,
    payloads: Vec<P>,
    /// Which were read; empty while all were.
    kept: Vec<bool>,
    /// How many were not.
    aside: usize,
    failed: &'a mut Vec<(usize, Failure)>,
}

impl<'a, P> Reading<'a, P> {
    fn new(count: usize, failed: &'a mut Vec<(usize, Failure)>) -> Self {
        Self {
            count,
            payloads: Vec::with_capacity(count),
            kept: Vec::new(),
            aside: 0,
            failed,
        }
    }

    #[inline(always)]
    fn add(&mut self, read: Result<P, Failure>) {
        match read {
            Ok(payload) => self.payloads.push(payload),
            Err(failure) => self.set_aside(failure),
        }
    }

    /// Reads the payloads of these records, one behind the other.
    fn read_all(&mut self, prepared: &P::Prepared, records: &[Record])
    where
        P: PayloadValue,
    {
        for record in records {
            self.add(P::read(prepared, &record.message));
        }
    }

    #[cold]
    fn set_aside(&mut self, failure: Failure) {
        let index = self.payloads.len() + self.aside;
        self.aside += 1;
        self.kept.resize(self.count, true);
        self.kept[index] = false;
        self.failed.push((index, failure));
    }
}

impl<P: PayloadValue> ExtractBatch for Batch<P> {
    const BATCH: bool = true;
    type Prepared = P::Prepared;

    fn prepare(start: &mut Preparation<'_>) -> Result<P::Prepared> {
        P::prepare(start)
    }

    async fn extract(
        prepared: &P::Prepared,
        deliveries: &Deliveries,
        failed: &mut Vec<(usize, Failure)>,
    ) -> Result<Self, Failure> {
        let mut reading = Reading::new(deliveries.len(), failed);
        match deliveries.as_run().filter(|_| P::FROM_MESSAGE) {
            Some((first, count)) => reading.read_all(prepared, first.records(count)),
            None => {
                let mut walk = deliveries.walk();
                while let Some(delivery) = walk.next() {
                    reading.add(P::extract(prepared, delivery).await);
                }
            }
        }
        let Reading { payloads, kept, .. } = reading;
        let deliveries = deliveries.clone();
        let deliveries = if kept.is_empty() {
            deliveries
        } else {
            deliveries.retain(&kept).unwrap_or_default()
        };
        Ok(Self {
            payloads,
            deliveries,
        })
    }
}
