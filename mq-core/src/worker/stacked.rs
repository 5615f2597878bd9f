//! The worker around one stack.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
    time::Duration,
};

use tower_service::Service;

use super::{Answers, Gather, Turn, Worker, slots::Slots};
use crate::{
    binder::Delivery,
    error::BoxError,
    middleware::{Arrival, Pulse},
    outcome::{Decision, Failure, Next},
};

/// At most this many calls are begun in one turn, so that other tasks of the runtime get theirs.
const CALLS: usize = 256;

/// After an error of a user's layer the message comes back after this long; no attempt is counted.
const LAYER_ERROR_WAIT: Duration = Duration::from_millis(250);

/// A stack `S` for the requests that `G` gathers.
pub struct Stacked<G: Gather, S: Service<G::Request>> {
    stack: S,
    gather: G,
    slots: Slots<S::Future, G::Request>,
    gathered: Option<G::Request>,
    pulse: Pulse,
}

impl<G, S> Stacked<G, S>
where
    G: Gather,
    S: Service<G::Request, Response = <G::Request as Arrival>::Handled, Error = BoxError>,
{
    /// At most `concurrency` calls at a time.
    #[must_use]
    pub fn new(stack: S, gather: G, concurrency: usize, pulse: Pulse) -> Self {
        Self {
            stack,
            gather,
            slots: Slots::new(concurrency),
            gathered: None,
            pulse,
        }
    }

    fn poll_woken(&mut self, answers: &mut Answers) {
        if self.slots.len() > 0 {
            self.slots
                .poll_woken(|request, result| answer::<G>(request, result, answers));
        }
    }

    /// Begins calls; `Turn::More` if the limit of a turn is reached.
    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Delivery>,
        answers: &mut Answers,
    ) -> Turn {
        for _ in 0..CALLS {
            if G::JUDGED_FIRST && !answers.is_empty() {
                return Turn::More;
            }
            if !self.slots.has_room() {
                return Turn::Idle;
            }
            let Some(request) = self.gathered.take().or_else(|| self.gather.next(cx, queue)) else {
                return Turn::Idle;
            };
            match self.stack.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    let (stack, own) = (&mut self.stack, request.clone());
                    if let Some((request, result)) = self.slots.start(request, || stack.call(own)) {
                        answer::<G>(request, result, answers);
                    }
                }
                Poll::Ready(Err(error)) => answer::<G>(request, Err(error), answers),
                Poll::Pending => {
                    self.gathered = Some(request);
                    return Turn::Idle;
                }
            }
        }
        Turn::More
    }
}

fn answer<G: Gather>(
    request: G::Request,
    result: Result<<G::Request as Arrival>::Handled, BoxError>,
    answers: &mut Answers,
) {
    G::answer(
        request,
        result.unwrap_or_else(|error| layer_failure(error).into()),
        answers,
    );
}

fn layer_failure(error: BoxError) -> Failure {
    let mut failure = Failure::from_error(Decision::Defer(LAYER_ERROR_WAIT), error).kind("layer");
    failure.set_next(Next::Defer(LAYER_ERROR_WAIT));
    failure
}

impl<G, S> Worker for Stacked<G, S>
where
    G: Gather,
    S: Service<G::Request, Response = <G::Request as Arrival>::Handled, Error = BoxError> + Send,
    S::Future: Send,
{
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<Delivery>,
        answers: &mut Answers,
    ) -> Turn {
        self.slots.register(cx);
        let now = self.pulse.refresh();
        if self
            .pulse
            .wake_at()
            .is_some_and(|at| at <= self.pulse.instant(now))
        {
            self.pulse.disarm();
            self.slots.wake_all();
        }
        self.poll_woken(answers);
        if G::JUDGED_FIRST && !answers.is_empty() {
            return Turn::More;
        }
        self.begin(cx, queue, answers)
    }

    fn in_flight(&self) -> usize {
        self.slots.len() + usize::from(self.gathered.is_some())
    }

    fn set_concurrency(&mut self, concurrency: usize) {
        self.slots.set_limit(concurrency);
    }

    fn flush(&mut self) {
        self.gather.flush();
    }

    fn put_back(&mut self, queue: &mut VecDeque<Delivery>) {
        if let Some(request) = self.gathered.take() {
            let deliveries = request.deliveries().iter().rev();
            deliveries.for_each(|delivery| queue.push_front(delivery.clone()));
        }
    }

    fn abandon(&mut self) -> Vec<Delivery> {
        let mut requests = self.slots.abandon();
        requests.extend(self.gathered.take());
        requests
            .iter()
            .flat_map(|request| request.deliveries().iter().cloned())
            .collect()
    }
}

impl<G: Gather, S: Service<G::Request>> std::fmt::Debug for Stacked<G, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stacked").finish_non_exhaustive()
    }
}
