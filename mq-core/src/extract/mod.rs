//! Extractors: how a listener's parameters are made from a delivery.

/// The part of an extractor that waits for nothing.
macro_rules! at_once {
    (|$prepared:pat_param, $delivery:pat_param| $value:expr) => {
        const AT_ONCE: bool = true;

        #[inline(always)]
        fn at_once(
            $prepared: &Self::Prepared,
            $delivery: &$crate::binder::Delivery,
        ) -> Result<Self, $crate::outcome::Failure> {
            $value
        }

        fn extract(
            prepared: &Self::Prepared,
            delivery: &$crate::binder::Delivery,
        ) -> impl Future<Output = Result<Self, $crate::outcome::Failure>> + Send {
            std::future::ready(Self::at_once(prepared, delivery))
        }
    };
}

mod batch;
mod facts;
mod option;
mod output;
mod payload;
mod preparation;
mod state;

pub use batch::{Batch, BatchItem, ExtractBatch, IntoIter, Iter};
pub use facts::{Attempt, Destination, Id, Key};
pub use output::{Output, OutputMessage};
pub use payload::{Decode, Json, Payload, PayloadValue, Text};
pub use preparation::{Preparation, States};
pub use state::State;

use std::future::Future;

use crate::{binder::Delivery, error::Result, outcome::Failure};

/// A parameter of a listener.
///
/// `prepare` runs once at start and refuses what can never work; `extract` runs for every delivery and must be cheap.
///
/// # Examples
/// ```
/// use mq_core::{binder::Delivery, error::Result, extract::{Extract, Preparation}, outcome::Failure};
///
/// /// The tenant that a message belongs to.
/// struct Tenant(String);
///
/// impl Extract for Tenant {
///     type Prepared = ();
///
///     fn prepare(_: &mut Preparation<'_>) -> Result<()> {
///         Ok(())
///     }
///
///     async fn extract(_: &(), delivery: &Delivery) -> Result<Self, Failure> {
///         let tenant = delivery.headers().text("x-tenant");
///         tenant.map(|t| Self(t.to_owned())).ok_or_else(|| Failure::dead_letter("no x-tenant header"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken as a listener parameter",
    label = "not an extractor",
    note = "take the payload as `Json<T>`, `Text`, `Bytes` or `Payload<T>`; for a `Batch<…>`, write `batch` into the attribute",
    note = "take other things as `State<T>`, `Headers`, `Key`, `Attempt`, `Delivery` or `Output<T>`, or implement `mq::extract::Extract`"
)]
pub trait Extract: Sized + Send {
    /// Whether this reads the payload; a listener has one such parameter at most.
    const PAYLOAD: bool = false;

    /// Whether [`at_once`](Self::at_once) makes the parameter, so that nothing is waited for.
    /// A listener all of whose parameters are made at once has smaller calls.
    const AT_ONCE: bool = false;

    /// What is found out once, at start.
    type Prepared: Send + Sync + 'static;

    /// Finds out what every extraction needs.
    ///
    /// # Errors
    /// Something is missing; the message says what to add. The application does not start.
    fn prepare(start: &mut Preparation<'_>) -> Result<Self::Prepared>;

    /// Makes the parameter without waiting, as [`extract`](Self::extract) would. Only called where [`AT_ONCE`](Self::AT_ONCE) says so.
    ///
    /// # Errors
    /// The failure is the outcome of the attempt; the listener is not called.
    fn at_once(prepared: &Self::Prepared, delivery: &Delivery) -> Result<Self, Failure> {
        let _ = (prepared, delivery);
        Err(Failure::retry("this parameter cannot be made at once").kind("parameter"))
    }

    /// Makes the parameter.
    ///
    /// Runs inside the attempt: it may be dropped at any await when the attempt's time is over.
    ///
    /// # Errors
    /// The failure is the outcome of the attempt; the listener is not called.
    fn extract(
        prepared: &Self::Prepared,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Self, Failure>> + Send;
}

/// An extractor that does not look at the delivery, so that sources and batch listeners can take it too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken where there is no delivery",
    label = "not an extractor for sources",
    note = "a source takes `State<T>` and `Output<T>`; a batch listener takes these and one `Batch<…>`"
)]
pub trait Standing: Extract {
    /// The parameter, for a function that is not called for one delivery.
    fn standing(prepared: &Self::Prepared) -> Self;
}

/// The delivery itself: a cheap handle to message, headers, position and attempt.
#[diagnostic::do_not_recommend]
impl Extract for Delivery {
    type Prepared = ();

    fn prepare(_: &mut Preparation<'_>) -> Result<()> {
        Ok(())
    }

    at_once!(|_, delivery| Ok(delivery.clone()));
}
