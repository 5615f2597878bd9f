//! The answers of a turn.

use super::Subject;
use crate::{
    binder::{Deliveries, Delivery, OutputRange, Record},
    middleware::Handled,
};

/// An answer of the stack.
#[derive(Debug)]
pub struct Done {
    /// What was handled.
    pub subject: Subject,
    /// The answer.
    pub handled: Handled,
}

/// Neighbours that are done with and have left one output each, which stand one behind the other as well.
#[derive(Debug)]
pub struct Replied {
    /// The deliveries.
    pub acked: Acked,
    /// Their outputs, one each.
    pub outputs: OutputRange,
}

/// An answer that is more than a bare acknowledgement.
#[derive(Debug)]
pub enum Other {
    /// Neighbours with one output each.
    Replied(Replied),
    /// Any other.
    Done(Done),
}

/// Deliveries that are done with and stand one behind the other in their batch.
#[derive(Debug)]
pub struct Acked {
    first: Delivery,
    count: usize,
}

impl Acked {
    fn new(first: Delivery) -> Self {
        Self { first, count: 1 }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never true.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> &Delivery {
        &self.first
    }

    /// Their records.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        self.first.records(self.count)
    }

    /// Each delivery in order.
    pub fn for_each(self, mut each: impl FnMut(&Delivery)) {
        let mut delivery = self.first;
        for _ in 1..self.count {
            each(&delivery);
            delivery = delivery.next();
        }
        each(&delivery);
    }
}

/// The answers of a turn. Most are bare acknowledgements, which need nothing but the delivery.
#[derive(Debug, Default)]
pub struct Answers {
    /// Done with, and nothing to publish or to complete.
    pub acked: Vec<Acked>,
    /// Everything else, in order.
    pub others: Vec<Other>,
}

impl Answers {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.acked.is_empty() && self.others.is_empty()
    }

    /// Takes an answer in.
    #[inline(always)]
    pub(crate) fn push(&mut self, delivery: &Delivery, handled: Handled) {
        if !handled.is_bare_ack() {
            self.push_more(delivery, handled);
        } else if !self.goes_on(delivery) {
            self.acked.push(Acked::new(delivery.clone()));
        }
    }

    /// Takes the answer to a batch as a whole in.
    pub(crate) fn push_many(&mut self, deliveries: &Deliveries, handled: Handled) {
        if !handled.is_bare_ack() {
            return self.push_other(Subject::Many(deliveries.clone()), handled);
        }
        if deliveries.as_run().is_some() {
            return self.push_run(deliveries);
        }
        for delivery in deliveries.as_slice() {
            if !self.goes_on(delivery) {
                self.acked.push(Acked::new(delivery.clone()));
            }
        }
    }

    #[inline(never)]
    fn push_more(&mut self, delivery: &Delivery, handled: Handled) {
        if handled.is_bare_reply() {
            self.push_reply(delivery, handled.outputs);
        } else {
            self.push_other(Subject::One(delivery.clone()), handled);
        }
    }

    fn push_run(&mut self, deliveries: &Deliveries) {
        let Some((first, count)) = deliveries.as_run() else {
            return;
        };
        if self.goes_on(first) {
            if let Some(last) = self.acked.last_mut() {
                last.count += count - 1;
            }
        } else {
            let first = first.clone();
            self.acked.push(Acked { first, count });
        }
    }

    #[inline(never)]
    fn push_other(&mut self, subject: Subject, handled: Handled) {
        self.others.push(Other::Done(Done { subject, handled }));
    }

    #[inline(always)]
    fn push_reply(&mut self, delivery: &Delivery, outputs: OutputRange) {
        if !self.replies_go_on(delivery, outputs) {
            let acked = Acked::new(delivery.clone());
            self.others.push(Other::Replied(Replied { acked, outputs }));
        }
    }

    /// Whether the delivery and its output are the next ones after the last answer, which counts them then.
    #[inline(always)]
    fn replies_go_on(&mut self, delivery: &Delivery, outputs: OutputRange) -> bool {
        match self.others.last_mut() {
            Some(Other::Replied(last))
                if delivery.is_after(&last.acked.first, last.acked.count)
                    && last.outputs.goes_on_with(outputs) =>
            {
                last.acked.count += 1;
                last.outputs.len += 1;
                true
            }
            _ => false,
        }
    }

    /// Whether the delivery is the next one after the last acknowledgement, which counts it then.
    #[inline(always)]
    fn goes_on(&mut self, delivery: &Delivery) -> bool {
        match self.acked.last_mut() {
            Some(last) if delivery.is_after(&last.first, last.count) => {
                last.count += 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        binder::{Batch, LaneId},
        message::Message,
    };

    fn batch() -> Arc<Batch> {
        let record = |position| Record::new(Message::new("x"), LaneId(0), position);
        Arc::new(Batch::new((0..4).map(record).collect(), Arc::default()))
    }

    fn acked(answers: Answers) -> Vec<Vec<(u64, u32)>> {
        let mut all = Vec::new();
        for run in answers.acked {
            let mut one = Vec::new();
            assert_eq!(run.records().len(), run.len());
            run.for_each(|d| one.push((d.record().position, d.failures())));
            all.push(one);
        }
        all
    }

    #[test]
    fn neighbours_of_a_batch_are_one_run() {
        let (one, other) = (batch(), batch());
        let mut answers = Answers::default();
        for (batch, index) in [(&one, 0), (&one, 1), (&one, 3), (&other, 0)] {
            let delivery = Delivery::new(batch.clone(), index);
            answers.push(&delivery, Handled::default());
        }
        assert_eq!(
            acked(answers),
            [vec![(0, 0), (1, 0)], vec![(3, 0)], vec![(0, 0)]]
        );
    }

    #[test]
    fn the_attempts_of_a_delivery_are_not_forgotten() {
        let batch = batch();
        let mut answers = Answers::default();
        for (index, failures) in [(0, 0), (1, 2), (2, 0)] {
            let delivery = Delivery::new(batch.clone(), index).after_failures(failures);
            answers.push(&delivery, Handled::default());
        }
        assert_eq!(acked(answers), [vec![(0, 0)], vec![(1, 2), (2, 0)]]);
    }
}
