//! Deliveries that are handled together.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::Delivery;

/// Deliveries that are handled together; cheap to clone.
///
/// Those that stand one behind the other in the batch that they arrived with are made only where somebody looks at them one by one.
#[derive(Clone, Default)]
pub struct Deliveries(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The first, and how many: the others stand behind it.
    run: Option<(Delivery, usize)>,
    each: OnceLock<Box<[Delivery]>>,
}

impl Inner {
    fn each(&self) -> &[Delivery] {
        self.each.get_or_init(|| match &self.run {
            None => Box::default(),
            Some((first, count)) => (0..*count).map(|places| first.behind(places)).collect(),
        })
    }
}

impl Deliveries {
    /// These deliveries.
    #[must_use]
    pub fn new(deliveries: Vec<Delivery>) -> Self {
        Self(Arc::new(Inner {
            run: None,
            each: OnceLock::from(deliveries.into_boxed_slice()),
        }))
    }

    /// `first` and those behind it in its batch, `count` altogether, as they arrived.
    pub(crate) fn run(first: Delivery, count: usize) -> Self {
        Self(Arc::new(Inner {
            run: Some((first, count)),
            each: OnceLock::new(),
        }))
    }

    /// The first, and how many, if the others stand behind it in its batch as they arrived.
    pub(crate) fn as_run(&self) -> Option<(&Delivery, usize)> {
        let (first, count) = self.0.run.as_ref()?;
        Some((first, *count))
    }

    /// The deliveries in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Delivery] {
        self.0.each()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0.run {
            Some((_, count)) => *count,
            None => self.0.each().len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes through the deliveries without making all of them.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk {
            deliveries: self,
            current: None,
            index: 0,
        }
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deliveries").field(&self.as_slice()).finish()
    }
}

/// Where a walk through deliveries is.
pub(crate) struct Walk<'a> {
    deliveries: &'a Deliveries,
    current: Option<Delivery>,
    index: usize,
}

impl Walk<'_> {
    /// The next delivery.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<&Delivery> {
        let index = self.index;
        self.index += 1;
        match (&self.deliveries.0.run, &mut self.current) {
            (Some((_, count)), _) if index >= *count => return None,
            (Some(_), Some(delivery)) => delivery.step(),
            (Some((first, _)), None) => self.current = Some(first.clone()),
            (None, _) => return self.deliveries.as_slice().get(index),
        }
        self.current.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        binder::{Batch, LaneId, Record},
        message::Message,
    };

    fn positions(deliveries: &Deliveries) -> [Vec<u64>; 2] {
        let mut walked = Vec::new();
        let mut walk = deliveries.walk();
        while let Some(delivery) = walk.next() {
            walked.push(delivery.record().position);
        }
        let all = deliveries.as_slice().iter();
        [
            walked,
            all.map(|delivery| delivery.record().position).collect(),
        ]
    }

    #[test]
    fn a_run_is_the_same_as_its_deliveries_one_by_one() {
        let record = |position| Record::new(Message::new("x"), LaneId(0), position);
        let batch = Arc::new(Batch::new((0..5).map(record).collect(), Arc::default()));
        let run = Deliveries::run(Delivery::new(batch, 1), 3);
        assert_eq!(positions(&run), [(); 2].map(|()| vec![1, 2, 3]));
        let list = Deliveries::new(run.as_slice().to_vec());
        assert_eq!(positions(&list), [(); 2].map(|()| vec![1, 2, 3]));
        assert_eq!(
            (run.len(), list.len(), Deliveries::default().len()),
            (3, 3, 0)
        );
    }
}
