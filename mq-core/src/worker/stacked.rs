//! The worker around one stack.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tower_service::Service;
use tracing::Span;

use super::{
    Answers, Gather, Queue, Turn, Worker,
    slots::{Scope, Slots},
};
use crate::{
    binder::Delivery,
    error::BoxError,
    middleware::{Arrival, Observed, Observer},
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
    slots: Slots<S::Future, Call<G::Request>>,
    gathered: Option<G::Request>,
    observer: Observer,
}

/// What is kept of a call that is under way.
struct Call<R> {
    request: R,
    observed: Observed,
}

impl<R> Scope for Call<R> {
    #[inline(always)]
    fn span(&self) -> Option<&Span> {
        self.observed.span()
    }
}

impl<G, S> Stacked<G, S>
where
    G: Gather,
    S: Service<G::Request, Response = <G::Request as Arrival>::Handled, Error = BoxError>,
{
    /// At most `concurrency` calls at a time.
    #[must_use]
    pub fn new(stack: S, gather: G, concurrency: usize, observer: Observer) -> Self {
        Self {
            stack,
            gather,
            slots: Slots::new(concurrency),
            gathered: None,
            observer,
        }
    }

    fn poll_woken(&mut self, answers: &mut Answers) {
        if self.slots.len() > 0 {
            let (slots, observer) = (&mut self.slots, &mut self.observer);
            slots.poll_woken(|call, result| answer::<G>(call, result, observer, answers));
        }
    }

    /// Begins calls; `Turn::More` if the limit of a turn is reached.
    fn begin(&mut self, cx: &mut Context<'_>, queue: &mut Queue, answers: &mut Answers) -> Turn {
        for _ in 0..CALLS {
            if G::JUDGED_FIRST && !answers.is_empty() {
                return Turn::More;
            }
            if !self.slots.has_room() {
                return Turn::Idle;
            }
            let Some(request) = self.next(cx, queue) else {
                return Turn::Idle;
            };
            match self.stack.poll_ready(cx) {
                Poll::Ready(Ok(())) => self.call(request, answers),
                Poll::Ready(Err(error)) => G::answer(request, layer_failure(error).into(), answers),
                Poll::Pending => {
                    self.gathered = Some(request);
                    return Turn::Idle;
                }
            }
        }
        Turn::More
    }

    #[inline(always)]
    fn next(&mut self, cx: &mut Context<'_>, queue: &mut Queue) -> Option<G::Request> {
        if self.gathered.is_some() {
            return self.gathered.take();
        }
        self.gather.next(cx, queue)
    }

    /// Calls the stack, which is ready.
    #[inline(always)]
    fn call(&mut self, request: G::Request, answers: &mut Answers) {
        let observed = self.observer.begin(&request);
        let future = match observed.span() {
            None => self.stack.call(request.clone()),
            Some(span) => span.in_scope(|| self.stack.call(request.clone())),
        };
        if let Some((call, result)) = self.slots.start(Call { request, observed }, future) {
            answer::<G>(call, result, &mut self.observer, answers);
        }
    }

    fn run(&mut self, cx: &mut Context<'_>, queue: &mut Queue, answers: &mut Answers) -> Turn {
        self.poll_woken(answers);
        if G::JUDGED_FIRST && !answers.is_empty() {
            return Turn::More;
        }
        self.begin(cx, queue, answers)
    }
}

#[inline(always)]
fn answer<G: Gather>(
    call: Call<G::Request>,
    result: Result<<G::Request as Arrival>::Handled, BoxError>,
    observer: &mut Observer,
    answers: &mut Answers,
) {
    let Call { request, observed } = call;
    match result {
        Ok(handled) => {
            observer.finished(observed, &handled, &request);
            G::answer(request, handled, answers);
        }
        Err(error) => G::answer(request, layer_failure(error).into(), answers),
    }
}

#[cold]
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
    fn turn(&mut self, cx: &mut Context<'_>, queue: &mut Queue, answers: &mut Answers) -> Turn {
        self.slots.register(cx);
        let now = self.observer.begin_turn();
        let pulse = self.observer.pulse();
        let is_due = |at| at <= pulse.instant(now);
        if pulse.wake_at().is_some_and(is_due) {
            pulse.disarm();
            self.slots.wake_all();
        }
        let driving = pulse.drive();
        let turn = self.run(cx, queue, answers);
        drop(driving);
        self.observer.end_turn();
        turn
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

    fn put_back(&mut self, queue: &mut Queue) {
        if let Some(request) = self.gathered.take() {
            let deliveries = request.deliveries().iter().rev();
            deliveries.for_each(|delivery| queue.push_front(delivery.clone()));
        }
    }

    fn abandon(&mut self) -> Vec<Delivery> {
        let calls = self.slots.abandon().into_iter();
        let mut requests: Vec<_> = calls.map(|call| call.request).collect();
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
