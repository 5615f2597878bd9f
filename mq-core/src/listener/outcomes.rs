//! What a batch listener may return.

use super::{Replies, Reply, Returned};
use crate::{
    binder::Deliveries,
    extract::{Batch, Json},
    message::{IdSeed, Message},
    middleware::{Handled, HandledBatch},
    outcome::{Failure, IntoFailure, Outcome},
};

/// One outcome for each payload of a batch; made by [`Batch::outcomes`](crate::extract::Batch::outcomes).
#[derive(Debug)]
pub struct Outcomes {
    expected: usize,
    items: Vec<(Outcome, Replies)>,
}

impl Outcomes {
    fn new<R: Returned>(expected: usize, results: impl IntoIterator<Item = R>) -> Self {
        let judge = |result: R| {
            let mut replies = Replies::default();
            (result.returned(&mut replies), replies)
        };
        Self {
            expected,
            items: results.into_iter().map(judge).collect(),
        }
    }
}

impl<P> Batch<P> {
    /// The outcome of each payload, in order: only those that failed are tried again or dead-lettered.
    ///
    /// A number of results that is not the number of payloads fails the batch, which is then retried.
    pub fn outcomes<R: Returned>(&self, results: impl IntoIterator<Item = R>) -> Outcomes {
        Outcomes::new(self.len(), results)
    }
}

/// Feeds as many outputs as are named; a value for an output that is not fails its message.
pub const ANY_OUTPUTS: u16 = u16::MAX;

/// What a batch listener may return: nothing, [`Outcomes`], outputs of the whole batch, or a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "a batch listener cannot return `{Self}`",
    label = "neither outcomes nor outputs",
    note = "return `batch.outcomes(results)` for one outcome each, or `Vec<Json<T>>` to publish for the whole batch",
    note = "return `Result<_, E>` where `E` derives `mq::Failure` to fail the whole batch, or `()`"
)]
pub trait BatchReturned {
    /// How many outputs it feeds; [`ANY_OUTPUTS`] where only the values say.
    const OUTPUTS: u16;

    /// The answer for these deliveries.
    fn returned(self, deliveries: &Deliveries, seeds: &[IdSeed]) -> HandledBatch;
}

impl BatchReturned for () {
    const OUTPUTS: u16 = 0;

    fn returned(self, _: &Deliveries, _: &[IdSeed]) -> HandledBatch {
        HandledBatch::All(Handled::default())
    }
}

impl BatchReturned for Outcomes {
    const OUTPUTS: u16 = ANY_OUTPUTS;

    fn returned(self, deliveries: &Deliveries, seeds: &[IdSeed]) -> HandledBatch {
        let found = self.items.len();
        if found != self.expected || found != deliveries.len() {
            let text = format!(
                "the listener returned {found} outcomes for {} messages; return one each",
                self.expected
            );
            return Failure::retry(text).kind("outcomes").into();
        }
        let answer = |((outcome, mut replies), delivery): ((Outcome, Replies), _)| {
            replies.answer(delivery, outcome, seeds)
        };
        HandledBatch::Each(
            self.items
                .into_iter()
                .zip(deliveries.as_slice())
                .map(answer)
                .collect(),
        )
    }
}

impl<R: BatchReturned, E: IntoFailure> BatchReturned for Result<R, E> {
    const OUTPUTS: u16 = R::OUTPUTS;

    fn returned(self, deliveries: &Deliveries, seeds: &[IdSeed]) -> HandledBatch {
        match self {
            Ok(value) => value.returned(deliveries, seeds),
            Err(error) => error.into_failure().into(),
        }
    }
}

macro_rules! whole {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> BatchReturned for $type {
            const OUTPUTS: u16 = 1;

            fn returned(self, deliveries: &Deliveries, seeds: &[IdSeed]) -> HandledBatch {
                whole(self, deliveries, seeds)
            }
        }
    )*};
}

whole! {
    [T: super::Encode] Json<T>;
    [] Message;
    [M: super::IntoMessage] Vec<M>;
    [M: super::IntoMessage] Option<M>;
}

/// Outputs of the whole batch: no delivery is settled before all of them are confirmed.
fn whole(reply: impl Reply, deliveries: &Deliveries, seeds: &[IdSeed]) -> HandledBatch {
    let mut replies = Replies::default();
    match reply.reply(0, &mut replies) {
        Err(failure) => failure.into(),
        Ok(()) => HandledBatch::All(replies.answer_all(deliveries.as_slice(), seeds)),
    }
}
