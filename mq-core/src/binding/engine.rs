//! The state of a running binding, and one turn of its loop.

use std::{
    collections::HashMap, future::Future, pin::Pin, sync::Arc, task::Context, time::SystemTime,
};

use tokio::time::{Sleep, sleep_until};

use super::{
    finish::{Finish, Out},
    intake::Pool,
    judge::{settlement, settlement_of},
    plan::InputPlan,
    positions::Positions,
    resting::Resting,
    transact::Transact,
    waiting::{Wait, Waiting},
    window::Window,
};
use crate::{
    binder::{Action, Delivery, LaneId, Lanes, Settler, Transaction},
    error::{Error, Result},
    listener::Style,
    worker::{Acked, Answers, Order, Queue, Turn, Worker},
};

/// At most this many records are asked for at a time.
const BATCH: usize = 256;

/// At most this many turns of the worker make one turn of the loop.
const ROUNDS: usize = 64;

/// A binding while it is subscribed.
pub(super) struct Engine {
    pub(super) plan: Arc<InputPlan>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) order: Order,
    pub(super) window: Window,
    pub(super) waiting: Waiting,
    pub(super) positions: Option<Positions>,
    pub(super) finish: Finish,
    /// Transactions, where the binding is exactly once.
    pub(super) transact: Option<Transact>,
    pub(super) resting: Resting,
    pub(super) queue: Queue,
    pub(super) pool: Pool,
    /// Holds that the broker has recorded, of deliveries that have not had their turn yet.
    pub(super) held_until: HashMap<(LaneId, u64), SystemTime>,
    pub(super) first_failures: HashMap<(LaneId, u64), SystemTime>,
    /// Why the binding must stop, if so.
    pub(super) stopping: Option<String>,
    /// Why the subscription is of no more use, if so.
    pub(super) broken: Option<Error>,
    /// Nothing new is begun.
    pub(super) draining: bool,
    /// Nothing is taken from the queue.
    pub(super) paused: bool,
    pub(super) worker: Box<dyn Worker>,
    settler: Arc<dyn Settler>,
    nothing: Queue,
    answers: Answers,
    out: Out,
    deadline: Option<Pin<Box<Sleep>>>,
    enough: usize,
}

impl Engine {
    /// Builds the worker; needs to run in the binding's own task.
    pub(super) fn new(
        plan: Arc<InputPlan>,
        settler: Arc<dyn Settler>,
        transaction: Option<Box<dyn Transaction>>,
        concurrency: usize,
    ) -> Result<Self> {
        let mut worker = plan.ready.build(&plan.build)?;
        let concurrency = plan.concurrency(concurrency);
        worker.set_concurrency(concurrency);
        let positions = plan
            .is_positional()
            .then(|| Positions::new(&plan.capabilities, &plan.window));
        Ok(Self {
            lanes: Arc::default(),
            order: Order::new(plan.ordering, plan.listener.style() == Style::Batch),
            window: Window::new(plan.window.clone()),
            waiting: Waiting::default(),
            positions,
            finish: Finish::new(plan.clone()),
            transact: transaction.map(Transact::new),
            resting: Resting::default(),
            queue: Queue::default(),
            pool: Pool::default(),
            held_until: HashMap::new(),
            first_failures: HashMap::new(),
            stopping: None,
            broken: None,
            draining: false,
            paused: false,
            worker,
            settler,
            nothing: Queue::default(),
            answers: Answers::default(),
            out: Out::default(),
            deadline: None,
            enough: concurrency.max(plan.build.batch.max),
            plan,
        })
    }

    /// How many records may be taken in now; 0 stops intake.
    pub(super) fn appetite(&self) -> usize {
        let has_room =
            self.finish.has_room() && self.positions.as_ref().is_none_or(Positions::has_room);
        if self.queue.len() >= self.enough || !has_room || self.paused || self.stopping.is_some() {
            return 0;
        }
        self.window.room().min(BATCH)
    }

    /// Whether nothing is on its way out.
    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_idle() && self.transact.as_ref().is_none_or(Transact::is_idle)
    }

    /// Gets on with everything that can get on.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) {
        let turn = self.handle(cx);
        let queued = self.queue.len();
        self.poll_finish(cx);
        self.poll_waiting(cx);
        self.poll_deadline(cx);
        if turn == Turn::More || self.queue.len() > queued {
            cx.waker().wake_by_ref();
        }
    }

    /// Lets the worker begin and finish what it can; `Turn::More` if others are to have a turn before it goes on.
    fn handle(&mut self, cx: &mut Context<'_>) -> Turn {
        if self.paused {
            self.worker.put_back(&mut self.queue);
        }
        for _ in 0..ROUNDS {
            let queue = if self.paused {
                &mut self.nothing
            } else {
                &mut self.queue
            };
            let turn = self
                .worker
                .turn(cx, queue, &mut self.order, &mut self.answers);
            let progress = self.judge_all();
            // A place has become free, or a turn was passed on: there may be more to begin.
            if turn == Turn::More || !progress || self.queue.is_empty() || self.paused {
                return turn;
            }
        }
        Turn::More
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) {
        if self.waiting.len() == 0 {
            return;
        }
        let mut back = Vec::new();
        let (waiting, queue) = (&mut self.waiting, &mut self.queue);
        waiting.poll_due(cx, |delivery, wait| match wait {
            Wait::InPlace | Wait::Held => queue.push_back(delivery),
            Wait::GiveBack => back.push(delivery),
        });
        if !back.is_empty() {
            back.into_iter()
                .for_each(|delivery| self.hand_back(delivery));
            cx.waker().wake_by_ref();
        }
    }

    /// Deals with what a turn of the worker has left; false if that is nothing.
    fn judge_all(&mut self) -> bool {
        let is_passed_on = self.order.has_next();
        self.run_next();
        if self.answers.is_empty() {
            return is_passed_on;
        }
        let mut answers = std::mem::take(&mut self.answers);
        // In a batch with an order, what has failed takes back the acknowledgements behind it.
        let failures_first = !self.order.is_free() && self.plan.listener.style() == Style::Batch;
        if !failures_first {
            self.acknowledge(&mut answers.acked);
        }
        let others = answers.others.drain(..);
        others.for_each(|other| self.judge_other(other));
        self.acknowledge(&mut answers.acked);
        self.answers = answers;
        true
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) {
        if self.poll_transactions(cx) {
            self.finish.poll_claims(cx, &mut self.out.exits);
            return self.finish.poll_settle(cx, &self.settler);
        }
        loop {
            self.finish.poll_exits(cx, &mut self.out);
            if self.out.exits.is_empty() && self.out.runs.is_empty() {
                break;
            }
            let mut out = std::mem::take(&mut self.out);
            out.runs.drain(..).for_each(|run| self.settled_run(&run));
            out.exits.drain(..).for_each(|exit| self.conclude(exit));
            self.out = out;
        }
        self.commit_positions(cx);
        self.finish.poll_settle(cx, &self.settler);
    }

    fn commit_positions(&mut self, cx: &mut Context<'_>) {
        let idle = self.worker.in_flight() == 0 && self.queue.is_empty();
        if let Some(positions) = &mut self.positions
            && positions.is_due(idle, cx)
        {
            positions
                .commits()
                .into_iter()
                .for_each(|commit| self.finish.settle(commit));
        }
    }

    /// Commits what is settled, whether or not it is time.
    pub(super) fn commit_now(&mut self) {
        if self.transact.is_some() {
            return;
        }
        if let Some(positions) = &mut self.positions {
            positions
                .commits()
                .into_iter()
                .for_each(|commit| self.finish.settle(commit));
        }
    }

    /// Wakes the task when the earliest deadline of a handler has passed.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) {
        let Some(at) = self.plan.build.stack.pulse.wake_at() else {
            return;
        };
        let timer = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.is_elapsed() || timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        if timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// The delivery has had its turn: the next of its key or partition gets it.
    #[inline]
    pub(super) fn pass_turn(&mut self, delivery: &Delivery) {
        self.order.leave(delivery);
        self.run_next();
    }

    /// Those who have got their turn run.
    #[inline]
    fn run_next(&mut self) {
        if self.order.has_next() {
            let mut next = self.order.take_next();
            let turns = next.drain(..);
            turns.for_each(|delivery| self.run_or_hold(delivery));
            self.order.give_back(next);
        }
    }

    /// The delivery has had its turn and is settled.
    pub(super) fn leave_with(&mut self, delivery: Delivery, action: Action) {
        self.pass_turn(&delivery);
        self.settle(delivery, action);
    }

    /// The delivery is done with.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever settles a delivery has no more use for it"
    )]
    pub(super) fn settle(&mut self, delivery: Delivery, action: Action) {
        self.settled(&delivery, action);
    }

    /// Tells the broker what became of the delivery.
    #[inline(always)]
    pub(super) fn settled(&mut self, delivery: &Delivery, action: Action) {
        self.forget(delivery);
        let settlement = settlement(delivery, action);
        match &mut self.positions {
            Some(positions) => positions.settle(&settlement),
            None => self.finish.settle(settlement),
        }
    }

    /// Tells the broker that these deliveries are done with.
    pub(super) fn settled_run(&mut self, run: &Acked) {
        self.forget_run(run);
        let records = run.records();
        match &mut self.positions {
            Some(positions) => positions.settle_all(records),
            None => {
                let settlements = records.iter();
                let settlements = settlements.map(|record| settlement_of(record, Action::Ack));
                self.finish.settle_all(settlements);
            }
        }
    }

    /// Gives the delivery back to the broker; a positional broker delivers it again after the next assignment.
    pub(super) fn hand_back(&mut self, delivery: Delivery) {
        self.pass_turn(&delivery);
        self.give_back(delivery);
    }

    /// Gives a delivery back that has no turn.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever settles a delivery has no more use for it"
    )]
    pub(super) fn give_back(&mut self, delivery: Delivery) {
        self.plan.metrics().released.increment();
        self.forget(&delivery);
        if self.positions.is_none() {
            let release = Action::Release {
                after: std::time::Duration::ZERO,
                attempts: delivery.failures(),
            };
            self.finish.settle(settlement(&delivery, release));
        }
    }

    /// Leaves the delivery unsettled: the broker delivers it again when the subscription ends.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever abandons a delivery has no more use for it"
    )]
    pub(super) fn abandon(&mut self, delivery: Delivery) {
        self.forget(&delivery);
    }

    pub(super) fn set_concurrency(&mut self, concurrency: usize) {
        let concurrency = self.plan.concurrency(concurrency);
        self.worker.set_concurrency(concurrency);
        self.enough = concurrency.max(self.plan.build.batch.max);
    }

    #[inline]
    pub(super) fn forget(&mut self, delivery: &Delivery) {
        self.window.leave(delivery);
        if !self.first_failures.is_empty() {
            self.first_failures.remove(&delivery.place());
        }
    }

    /// The deliveries are not ours any more.
    pub(super) fn forget_run(&mut self, run: &Acked) {
        self.window.leave_run(run);
        if !self.first_failures.is_empty() {
            let records = run.records().iter();
            records.for_each(|record| {
                self.first_failures.remove(&(record.lane, record.position));
            });
        }
    }

    /// Shows what is going on.
    pub(super) fn show(&self, status: &super::control::BindingStatus) {
        status.count(
            self.window.messages(),
            self.worker.in_flight(),
            self.waiting.len(),
        );
        status.set_problem(self.finish.problem());
    }
}
