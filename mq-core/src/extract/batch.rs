//! `Batch<P>`: many payloads at once.

use std::future::Future;

use super::{Extract, PayloadValue, Preparation, Standing};
use crate::{
    binder::{Deliveries, Delivery},
    error::Result,
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
    items: Vec<BatchItem<P>>,
}

/// One payload of a batch, with its delivery.
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
        self.items.len()
    }

    /// Never true in a listener: an empty batch is not handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Every payload with its delivery.
    pub fn iter(&self) -> std::slice::Iter<'_, BatchItem<P>> {
        self.items.iter()
    }
}

impl<P: PayloadValue> Batch<P> {
    /// The values inside the payloads.
    #[must_use]
    pub fn values(&self) -> impl ExactSizeIterator<Item = &P::Value> {
        self.items.iter().map(|item| item.payload.value())
    }
}

impl<P> IntoIterator for Batch<P> {
    type Item = BatchItem<P>;
    type IntoIter = std::vec::IntoIter<BatchItem<P>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, P> IntoIterator for &'a Batch<P> {
    type Item = &'a BatchItem<P>;
    type IntoIter = std::slice::Iter<'a, BatchItem<P>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
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
        let mut items = Vec::with_capacity(deliveries.len());
        for (index, delivery) in deliveries.as_slice().iter().enumerate() {
            match P::extract(prepared, delivery).await {
                Ok(payload) => items.push(BatchItem {
                    payload,
                    delivery: delivery.clone(),
                }),
                Err(failure) => failed.push((index, failure)),
            }
        }
        Ok(Self { items })
    }
}
