//! Where the partitions of a topic begin and end.

use std::collections::BTreeSet;

use mq_core::error::Result;
use rdkafka::Offset;

use super::KafkaAdmin;
use crate::{
    consumer::{Place, offsets, value},
    error,
};

/// The first position that is kept, and the end of what is committed: what an open transaction has written lies beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Ends {
    pub(super) fn len(self) -> u64 {
        self.high.saturating_sub(self.low)
    }
}

impl KafkaAdmin {
    /// The ends of a topic's partitions, in their order.
    pub(super) fn ends(&self, what: &'static str, topic: &str) -> Result<Vec<Ends>> {
        let places = self.places(topic)?;
        let found = self.ends_of(what, &places)?;
        Ok(found)
    }

    /// The ends of these partitions, in their order.
    pub(crate) fn ends_of(
        &self,
        what: &'static str,
        places: &BTreeSet<Place>,
    ) -> Result<Vec<Ends>> {
        let find = |end| {
            offsets(&self.client, places, end, self.timeout())
                .map_err(|error| self.link.explain(error::classify(what, &error)))
        };
        let (low, high) = (find(Offset::Beginning)?, find(Offset::End)?);
        let ends = |place: &Place| Ends {
            low: value(&low, place).unwrap_or_default(),
            high: value(&high, place).unwrap_or_default(),
        };
        Ok(places.iter().map(ends).collect())
    }
}
