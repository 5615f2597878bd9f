//! A fixed number of places for futures that are pending, with wakers made once.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    task::{Context, Poll, Wake, Waker},
};

use atomic_waker::AtomicWaker;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

/// Places for futures of one type. Filling and emptying a place allocates nothing.
pub(super) struct Slots<F, T> {
    places: Vec<Place<F, T>>,
    /// Places that are free, one bit each. The lowest is filled first, so that calls end in the order in which they began.
    free: Vec<u64>,
    taken: usize,
    wakes: Arc<Wakes>,
    limit: usize,
    /// The place whose call is made or polled right now.
    running: Option<usize>,
}

struct Place<F, T> {
    content: Pin<Box<Content<F>>>,
    tag: Option<T>,
    waker: Waker,
}

pin_project! {
    /// What is in a place.
    #[project = Projected]
    #[project_replace = Replaced]
    enum Content<F> {
        Nothing,
        Call {
            #[pin]
            future: F,
        },
    }
}

/// What became of a future that was begun.
pub(super) enum Begun<T> {
    /// It was ready at once.
    Ready(T),
    /// It stays in this place, and wants its tag.
    Pending(usize),
}

/// Which places were woken, one bit each, and whom to tell.
struct Wakes {
    words: Box<[AtomicU64]>,
    task: AtomicWaker,
}

struct PlaceWaker {
    wakes: Arc<Wakes>,
    index: usize,
}

/// The call that has panicked.
pub(super) enum Panicked<T> {
    /// The one that was begun last.
    Begun,
    /// One that was pending, with its tag.
    Pending(T),
}

/// What is kept beside a future that is pending.
pub(super) trait Scope {
    /// The span in which it is polled.
    fn span(&self) -> Option<&Span>;
}

/// At most this many places, whatever the concurrency is set to later.
const MOST: usize = 16_384;

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let bit = 1 << (self.index % 64);
        if self.wakes.words[self.index / 64].fetch_or(bit, AcqRel) & bit == 0 {
            self.wakes.task.wake();
        }
    }
}

impl<F: Future, T: Scope> Slots<F, T> {
    pub(super) fn new(limit: usize) -> Self {
        let words = (0..=MOST / 64).map(|_| AtomicU64::new(0)).collect();
        let wakes = Arc::new(Wakes {
            words,
            task: AtomicWaker::new(),
        });
        let mut slots = Self {
            places: Vec::new(),
            free: Vec::new(),
            taken: 0,
            wakes,
            limit: limit.clamp(1, MOST),
            running: None,
        };
        slots.grow();
        slots
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.clamp(1, MOST);
    }

    pub(super) fn len(&self) -> usize {
        self.taken
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < self.limit
    }

    /// Remembers whom to wake.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.wakes.task.register(cx.waker());
    }

    /// Makes a call in a place and polls it at once; if it is pending, it is to be [kept](Self::keep).
    #[inline(always)]
    pub(super) fn begin<R, S>(&mut self, stack: &mut S, request: R) -> Begun<F::Output>
    where
        S: Service<R, Future = F>,
    {
        let index = self.lowest_free();
        self.running = Some(index);
        let polled = self.places[index].begin(stack, request);
        self.running = None;
        match polled {
            Poll::Ready(output) => Begun::Ready(output),
            Poll::Pending => Begun::Pending(index),
        }
    }

    /// The same, in a span.
    #[cold]
    pub(super) fn begin_in<R, S>(
        &mut self,
        span: &Span,
        stack: &mut S,
        request: R,
    ) -> Begun<F::Output>
    where
        S: Service<R, Future = F>,
    {
        span.in_scope(|| self.begin(stack, request))
    }

    /// After a panic: empties the place whose call was made or polled, and gives back its tag, if it had one already.
    ///
    /// `None` if there was no such call: then the panic is of the worker's own.
    pub(super) fn panicked(&mut self) -> Option<Panicked<T>> {
        let index = self.running.take()?;
        let tag = self.vacate(index);
        // Others may have been woken as well, and were not polled any more.
        self.wake_all();
        Some(tag.map_or(Panicked::Begun, Panicked::Pending))
    }

    /// Keeps the future that was begun last in its place.
    pub(super) fn keep(&mut self, index: usize, tag: T) {
        self.places[index].tag = Some(tag);
        self.free[index / 64] &= !(1 << (index % 64));
        self.taken += 1;
    }

    #[inline(always)]
    fn lowest_free(&mut self) -> usize {
        match self.free.first() {
            Some(word) if *word != 0 => word.trailing_zeros() as usize,
            _ => self.look_for_free(),
        }
    }

    fn look_for_free(&mut self) -> usize {
        let found = self.free.iter().position(|word| *word != 0);
        match found {
            Some(word) => word * 64 + self.free[word].trailing_zeros() as usize,
            None => self.grow(),
        }
    }

    /// Polls every place that was woken; one that is pending is emptied without a result where `is_over` says so.
    pub(super) fn poll_woken(
        &mut self,
        is_over: impl Fn(&T) -> bool,
        mut finished: impl FnMut(T, Option<F::Output>),
    ) {
        for word in 0..self.places.len().div_ceil(64) {
            if self.wakes.words[word].load(Relaxed) == 0 {
                continue;
            }
            let mut bits = self.wakes.words[word].swap(0, Acquire);
            while bits != 0 {
                let index = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                self.poll_place(index, &is_over, &mut finished);
            }
        }
    }

    /// Marks every occupied place as woken: a deadline may have passed.
    pub(super) fn wake_all(&self) {
        for (index, place) in self.places.iter().enumerate() {
            if place.tag.is_some() {
                self.wakes.words[index / 64].fetch_or(1 << (index % 64), Relaxed);
            }
        }
    }

    /// Drops every future, and gives the tags back.
    pub(super) fn abandon(&mut self) -> Vec<T> {
        let mut tags = Vec::new();
        for index in 0..self.places.len() {
            tags.extend(self.vacate(index));
        }
        tags
    }

    #[inline(always)]
    fn poll_place(
        &mut self,
        index: usize,
        is_over: &impl Fn(&T) -> bool,
        finished: &mut impl FnMut(T, Option<F::Output>),
    ) {
        let place = &mut self.places[index];
        // The tag stays where it is while the future may panic.
        let Some(tag) = &place.tag else {
            return;
        };
        self.running = Some(index);
        let (content, waker) = (&mut place.content, &place.waker);
        let polled = match tag.span() {
            None => poll(content, waker),
            Some(span) => span.in_scope(|| poll(content, waker)),
        };
        let output = match polled {
            Poll::Ready(output) => Some(output),
            Poll::Pending if is_over(tag) => None,
            Poll::Pending => {
                self.running = None;
                return;
            }
        };
        let tag = self.vacate(index);
        self.running = None;
        if let Some(tag) = tag {
            finished(tag, output);
        }
    }

    fn vacate(&mut self, index: usize) -> Option<T> {
        let place = &mut self.places[index];
        place.content.set(Content::Nothing);
        let tag = place.tag.take()?;
        self.taken -= 1;
        self.free[index / 64] |= 1 << (index % 64);
        Some(tag)
    }

    /// One more place, which is free.
    fn grow(&mut self) -> usize {
        let index = self.places.len();
        let waker = Waker::from(Arc::new(PlaceWaker {
            wakes: self.wakes.clone(),
            index,
        }));
        self.places.push(Place {
            content: Box::pin(Content::Nothing),
            tag: None,
            waker,
        });
        if self.free.len() <= index / 64 {
            self.free.push(0);
        }
        self.free[index / 64] |= 1 << (index % 64);
        index
    }
}

impl<F: Future, T> Place<F, T> {
    /// Makes a future and polls it; it is gone if it is ready.
    #[inline(always)]
    fn begin<R, S>(&mut self, stack: &mut S, request: R) -> Poll<F::Output>
    where
        S: Service<R, Future = F>,
    {
        let future = stack.call(request);
        // Unlike `Pin::set`, this drops nothing while the new future is not yet where it stays, so that it can be made there.
        let content = Content::Call { future };
        self.content.as_mut().project_replace(content);
        let polled = poll(&mut self.content, &self.waker);
        if polled.is_ready() {
            self.content.set(Content::Nothing);
        }
        polled
    }
}

#[inline(always)]
fn poll<F: Future>(content: &mut Pin<Box<Content<F>>>, waker: &Waker) -> Poll<F::Output> {
    let mut cx = Context::from_waker(waker);
    match content.as_mut().project() {
        Projected::Call { future } => future.poll(&mut cx),
        Projected::Nothing => Poll::Pending,
    }
}
