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
use tracing::Span;

/// Places for futures of one type. Filling and emptying a place allocates nothing.
pub(super) struct Slots<F, T> {
    places: Vec<Place<F, T>>,
    /// Places that are free, one bit each. The lowest is filled first, so that calls end in the order in which they began.
    free: Vec<u64>,
    taken: usize,
    wakes: Arc<Wakes>,
    limit: usize,
}

struct Place<F, T> {
    future: Pin<Box<Option<F>>>,
    tag: Option<T>,
    waker: Waker,
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

/// What is kept beside a future.
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

    /// Puts a future into a place and polls it at once; it stays only if it is pending.
    #[inline(always)]
    pub(super) fn start(&mut self, tag: T, future: F) -> Option<(T, F::Output)> {
        let index = self.lowest_free();
        let place = &mut self.places[index];
        place.future.set(Some(future));
        match place.poll_in(tag.span()) {
            Poll::Ready(output) => {
                place.future.set(None);
                Some((tag, output))
            }
            Poll::Pending => {
                place.tag = Some(tag);
                self.free[index / 64] &= !(1 << (index % 64));
                self.taken += 1;
                None
            }
        }
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

    /// Polls every place that was woken.
    pub(super) fn poll_woken(&mut self, mut finished: impl FnMut(T, F::Output)) {
        for word in 0..self.places.len().div_ceil(64) {
            if self.wakes.words[word].load(Relaxed) == 0 {
                continue;
            }
            let mut bits = self.wakes.words[word].swap(0, Acquire);
            while bits != 0 {
                let index = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                self.poll_place(index, &mut finished);
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
            if let Some(tag) = self.places[index].tag.take() {
                self.vacate(index);
                tags.push(tag);
            }
        }
        tags
    }

    fn poll_place(&mut self, index: usize, finished: &mut impl FnMut(T, F::Output)) {
        let place = &mut self.places[index];
        let Some(tag) = place.tag.take() else {
            return;
        };
        match place.poll_in(tag.span()) {
            Poll::Ready(output) => {
                self.vacate(index);
                finished(tag, output);
            }
            Poll::Pending => place.tag = Some(tag),
        }
    }

    fn vacate(&mut self, index: usize) {
        self.places[index].future.set(None);
        self.taken -= 1;
        self.free[index / 64] |= 1 << (index % 64);
    }

    /// One more place, which is free.
    fn grow(&mut self) -> usize {
        let index = self.places.len();
        let waker = Waker::from(Arc::new(PlaceWaker {
            wakes: self.wakes.clone(),
            index,
        }));
        self.places.push(Place {
            future: Box::pin(None),
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
    #[inline(always)]
    fn poll_in(&mut self, span: Option<&Span>) -> Poll<F::Output> {
        match span {
            None => self.poll(),
            Some(span) => span.in_scope(|| self.poll()),
        }
    }

    #[inline(always)]
    fn poll(&mut self) -> Poll<F::Output> {
        let mut cx = Context::from_waker(&self.waker);
        match self.future.as_mut().as_pin_mut() {
            Some(future) => future.poll(&mut cx),
            None => Poll::Pending,
        }
    }
}
