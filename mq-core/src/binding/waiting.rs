//! Deliveries that wait for their next attempt, with one timer for all.

use std::{cmp::Reverse, collections::BinaryHeap, future::Future, pin::Pin, task::Context};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::binder::Delivery;

/// Why a delivery waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A retry in place: ends at once when the binding drains.
    InPlace,
    /// Given back to the broker when it is due.
    GiveBack,
    /// Held at the source until it is due: handed back with its attempts when the binding drains.
    Held,
}

/// Who waits, and until when.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// When, who came first, and the place.
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    last: u64,
    places: Vec<Option<(Delivery, Wait)>>,
    free: Vec<usize>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn push(&mut self, due: Instant, delivery: Delivery, wait: Wait) {
        let entry = Some((delivery, wait));
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place] = entry;
                place
            }
            None => {
                self.places.push(entry);
                self.places.len() - 1
            }
        };
        self.last += 1;
        self.due.push(Reverse((due, self.last, place)));
    }

    /// Gives out what is due, in the order in which it came where it is due at the same time, and arranges to be woken for the next.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>, mut each: impl FnMut(Delivery, Wait)) {
        while let Some(Reverse((due, _, place))) = self.due.peek().copied() {
            if self.places[place].is_some() && due > Instant::now() && !self.timer_fired(cx, due) {
                return;
            }
            self.due.pop();
            if let Some((delivery, wait)) = self.vacate(place) {
                each(delivery, wait);
            }
        }
    }

    fn timer_fired(&mut self, cx: &mut Context<'_>, due: Instant) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx).is_ready()
    }

    /// Takes out everything for which `wanted` holds.
    pub(super) fn take(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<(Delivery, Wait)> {
        let entries: Vec<_> = std::mem::take(&mut self.due).into_sorted_vec();
        let mut taken = Vec::new();
        for Reverse((due, number, place)) in entries.into_iter().rev() {
            match &self.places[place] {
                Some((delivery, _)) if wanted(delivery) => taken.extend(self.vacate(place)),
                Some(_) => self.due.push(Reverse((due, number, place))),
                None => {}
            }
        }
        taken
    }

    fn vacate(&mut self, place: usize) -> Option<(Delivery, Wait)> {
        let entry = self.places[place].take();
        self.free.push(place);
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll, time::Duration};

    use super::*;
    use crate::message::Message;

    #[tokio::test(start_paused = true)]
    async fn deliveries_come_out_when_they_are_due_and_in_that_order() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        for (seconds, text) in [(20, "late"), (10, "soon")] {
            waiting.push(
                now + Duration::from_secs(seconds),
                Delivery::of(Message::new(text)),
                Wait::InPlace,
            );
        }
        let mut seen = Vec::new();
        poll_fn(|cx| {
            waiting.poll_due(cx, |delivery, _| {
                seen.push((delivery, now.elapsed().as_secs()));
            });
            if waiting.len() == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let seen: Vec<_> = seen
            .iter()
            .map(|(d, at)| (d.message().as_bytes(), *at))
            .collect();
        assert_eq!(seen, [(&b"soon"[..], 10), (&b"late"[..], 20)]);
    }
}
