//! `Option<P>`: a payload that may be a tombstone.

use super::{Extract, PayloadValue, Preparation};
use crate::{binder::Delivery, error::Result, outcome::Failure};

impl<P: PayloadValue> Extract for Option<P> {
    const PAYLOAD: bool = true;
    const AT_ONCE: bool = P::AT_ONCE;
    type Prepared = P::Prepared;

    fn prepare(start: &mut Preparation<'_>) -> Result<P::Prepared> {
        P::prepare(start)
    }

    #[inline(always)]
    fn at_once(prepared: &P::Prepared, delivery: &Delivery) -> Result<Self, Failure> {
        match delivery.message().as_payload() {
            None => Ok(None),
            Some(_) => P::at_once(prepared, delivery).map(Some),
        }
    }

    async fn extract(prepared: &P::Prepared, delivery: &Delivery) -> Result<Self, Failure> {
        match delivery.message().as_payload() {
            None => Ok(None),
            Some(_) => P::extract(prepared, delivery).await.map(Some),
        }
    }
}
