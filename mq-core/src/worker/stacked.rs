//! The worker around one stack.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    task::{Context, Poll, ready},
    time::Duration,
};

use tower_service::Service;

use super::{
    Answers, Duties, Gather, Order, Queue, Turn, Worker,
    call::{Call, Kept},
    slots::{Begun, Panicked, Slots},
};
use crate::{
    binder::Delivery,
    error::BoxError,
    middleware::{Arrival, Judge, Observer, Pulse, panicked},
    outcome::{Decision, Failure, Next},
};

/// When this many deliveries have been handled in one turn, other tasks of the runtime get theirs.
const ENOUGH: usize = 256;

/// After an error of a user's layer the message comes back after this long; no attempt is counted.
const LAYER_ERROR_WAIT: Duration = Duration::from_millis(250);

/// A stack `S` for the requests that `G` gathers, with the judges `J` of what became of them.
pub struct Stacked<G: Gather, S: Service<G::Request>, J: Judge> {
    stack: S,
    gather: G,
    slots: Slots<S::Future, Call<G::Request, J>>,
    gathered: Option<G::Request>,
    /// The request that is called right now, or was called last in this turn.
    called: Option<G::Request>,
    duties: Duties<J>,
    observer: Observer,
    pulse: Pulse,
}

impl<G, S, J> Stacked<G, S, J>
where
    G: Gather,
    S: Service<G::Request, Response = <G::Request as Arrival>::Handled, Error = BoxError>,
    J: Judge,
{
    /// At most `concurrency` calls at a time.
    #[must_use]
    pub fn new(
        stack: S,
        duties: Duties<J>,
        gather: G,
        concurrency: usize,
        observer: Observer,
    ) -> Self {
        Self {
            stack,
            gather,
            slots: Slots::new(concurrency),
            gathered: None,
            called: None,
            duties,
            pulse: observer.pulse().clone(),
            observer,
        }
    }

    /// Polls what was woken. What is pending for too long has failed.
    fn poll_woken(&mut self, order: &mut Order, answers: &mut Answers) {
        if self.slots.len() == 0 {
            return;
        }
        let (slots, duties, observer) = (&mut self.slots, &self.duties, &mut self.observer);
        let is_over = |call: &Call<_, J>| self.pulse.is_over(call.deadline);
        slots.poll_woken(is_over, |call, result| {
            let Call { request, kept, .. } = call;
            let result = result.unwrap_or_else(|| Ok(duties.took_longer().into()));
            answer::<G, J>(&request, kept, result, duties, observer, order, answers);
        });
    }

    /// Begins calls; `Turn::More` if the limit of a turn is reached.
    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
        answers: &mut Answers,
    ) -> Turn {
        let mut count = 0;
        while count < ENOUGH {
            if Self::is_to_be_judged(order, answers) {
                return Turn::More;
            }
            if !self.slots.has_room() {
                return Turn::Idle;
            }
            let Some(request) = self.next(cx, queue, order) else {
                return Turn::Idle;
            };
            count += G::count(&request);
            match self.poll_ready(cx) {
                Poll::Ready(Ok(())) => self.call(request, order, answers),
                Poll::Ready(Err(error)) => {
                    G::answer(&request, layer_failure(error).into(), order, answers);
                }
                Poll::Pending => {
                    self.gathered = Some(request);
                    return Turn::Idle;
                }
            }
        }
        Turn::More
    }

    /// Whether there are answers that decide what may be called next.
    #[inline(always)]
    fn is_to_be_judged(order: &Order, answers: &Answers) -> bool {
        G::JUDGED_FIRST && !order.is_free() && !answers.is_empty()
    }

    #[inline(always)]
    fn next(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
    ) -> Option<G::Request> {
        if self.gathered.is_some() {
            return self.gathered.take();
        }
        self.gather.next(cx, queue, order)
    }

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.duties.judge.poll_open(cx));
        self.stack.poll_ready(cx)
    }

    /// Calls the stack, which is ready.
    #[inline(always)]
    fn call(&mut self, request: G::Request, order: &mut Order, answers: &mut Answers) {
        let called = G::keep(&mut self.called, &request);
        let observed = self.observer.begin(called);
        let case = self.duties.judge.begin();
        let begun = match observed.span() {
            None => self.slots.begin(&mut self.stack, request),
            Some(span) => self.slots.begin_in(span, &mut self.stack, request),
        };
        let kept = Kept { observed, case };
        match begun {
            Begun::Ready(result) => {
                let (duties, observer) = (&self.duties, &mut self.observer);
                answer::<G, J>(called, kept, result, duties, observer, order, answers);
            }
            Begun::Pending(place) => {
                let request = called.clone();
                let deadline = self.pulse.arm_in(self.duties.limit);
                let call = Call {
                    request,
                    kept,
                    deadline,
                };
                self.slots.keep(place, call);
            }
        }
    }

    // On its own, so that it is the same code whatever stands around it.
    #[inline(never)]
    fn run(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
        answers: &mut Answers,
    ) -> Turn {
        self.poll_woken(order, answers);
        if Self::is_to_be_judged(order, answers) {
            return Turn::More;
        }
        self.begin(cx, queue, order, answers)
    }

    /// A panic of a call is its failure, and others go on. One `catch_unwind` serves a whole turn: one for each call is dear.
    fn run_catching(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
        answers: &mut Answers,
    ) -> Turn {
        let run = AssertUnwindSafe(|| self.run(cx, queue, order, answers));
        catch_unwind(run).unwrap_or_else(|panic| {
            self.panicked(panic, order, answers);
            Turn::More
        })
    }

    #[cold]
    fn panicked(&mut self, panic: Box<dyn Any + Send>, order: &mut Order, answers: &mut Answers) {
        let pending = self.slots.panicked().filter(|_| self.duties.catches);
        let Some(pending) = pending else {
            resume_unwind(panic);
        };
        let call = match pending {
            Panicked::Pending(call) => Some((call.request, call.kept)),
            Panicked::Begun => self.called.take().map(|request| self.again(request)),
        };
        if let Some((request, kept)) = call {
            let result = Ok(panicked(&*panic).into());
            let (duties, observer) = (&self.duties, &mut self.observer);
            answer::<G, J>(&request, kept, result, duties, observer, order, answers);
        }
    }

    /// What was kept of the call went with the panic.
    fn again(&mut self, request: G::Request) -> (G::Request, Kept<J>) {
        let observed = self.observer.begin(&request);
        let case = self.duties.judge.begin();
        (request, Kept { observed, case })
    }
}

#[inline(always)]
fn answer<G: Gather, J: Judge>(
    request: &G::Request,
    kept: Kept<J>,
    result: Result<<G::Request as Arrival>::Handled, BoxError>,
    duties: &Duties<J>,
    observer: &mut Observer,
    order: &mut Order,
    answers: &mut Answers,
) {
    match result {
        Ok(mut handled) => {
            let mark = request.mark();
            duties
                .judge
                .judge::<G::Request>(kept.case, &mut handled, &mark);
            observer.finished(kept.observed, &handled, request);
            G::answer(request, handled, order, answers);
        }
        Err(error) => G::answer(request, layer_failure(error).into(), order, answers),
    }
}

#[cold]
fn layer_failure(error: BoxError) -> Failure {
    let mut failure = Failure::from_error(Decision::Defer(LAYER_ERROR_WAIT), error).kind("layer");
    failure.set_next(Next::Defer(LAYER_ERROR_WAIT));
    failure
}

impl<G, S, J> Worker for Stacked<G, S, J>
where
    G: Gather,
    S: Service<G::Request, Response = <G::Request as Arrival>::Handled, Error = BoxError> + Send,
    S::Future: Send,
    J: Judge,
{
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut Queue,
        order: &mut Order,
        answers: &mut Answers,
    ) -> Turn {
        self.slots.register(cx);
        let now = self.observer.begin_turn();
        let pulse = &self.pulse;
        let is_due = |at| at <= pulse.instant(now);
        if pulse.wake_at().is_some_and(is_due) {
            pulse.disarm();
            self.slots.wake_all();
        }
        let driving = pulse.drive();
        let turn = self.run_catching(cx, queue, order, answers);
        drop(driving);
        self.called = None;
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

impl<G: Gather, S: Service<G::Request>, J: Judge> std::fmt::Debug for Stacked<G, S, J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stacked").finish_non_exhaustive()
    }
}
