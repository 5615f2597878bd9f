//! The source: orders of the input one by one, and poison between them.

use std::sync::{Arc, Mutex, PoisonError};

use mq::{Source, message::ContentType, prelude::*};
use tokio::sync::oneshot;

use crate::bad_row::{BadRow, BadRows};
use crate::input::Input;
use crate::order::Order;
use crate::poison::Poison;
use crate::progress::Progress;

/// What is seen of the reading from outside.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    progress: Arc<Progress>,
    bad_rows: Arc<Mutex<BadRows>>,
}

impl Reading {
    pub(crate) fn new(progress: Progress) -> Self {
        Self {
            progress: Arc::new(progress),
            bad_rows: Arc::default(),
        }
    }

    /// Looks at the rows that could not be read.
    pub(crate) fn bad_rows<T>(&self, look: impl FnOnce(&BadRows) -> T) -> T {
        look(&self.bad_rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, bad: &BadRow) {
        let mut rows = self.bad_rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.count(bad)
            .iter()
            .for_each(|line| self.progress.say(line));
    }
}

/// Publishes one message an order, keyed by customer.
#[derive(Debug)]
pub(crate) struct OrderSource {
    input: Input,
    poison: Poison,
    reading: Reading,
    /// How many messages of the input were published before the start; sent when that is known.
    published: Option<oneshot::Receiver<u64>>,
}

impl OrderSource {
    pub(crate) fn new(
        input: Input,
        poison: u64,
        reading: Reading,
        published: oneshot::Receiver<u64>,
    ) -> Self {
        let poison = Poison::new(poison, input.size());
        Self {
            input,
            poison,
            reading,
            published: Some(published),
        }
    }

    /// Passes over what was published before a crash: the input gives the same messages in the same order each time.
    async fn resume(&mut self) -> Result<(), Failure> {
        let Some(published) = self.published.take() else {
            return Ok(());
        };
        for _ in 0..published.await.unwrap_or(0) {
            if self.step()?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

impl Source for OrderSource {
    type Output = Message;

    async fn next(&mut self) -> Result<Option<Message>, Failure> {
        self.resume().await?;
        self.step()
    }
}

impl OrderSource {
    /// The next message of the input.
    fn step(&mut self) -> Result<Option<Message>, Failure> {
        if let Some(poison) = self.poison.due(self.input.done()) {
            return Ok(Some(Message::new(poison)));
        }
        loop {
            let item = self.input.next();
            self.reading.progress.at(self.input.done());
            match item {
                Some(Ok(order)) => return Ok(Some(message(&order)?)),
                Some(Err(bad)) => self.reading.count(&bad),
                None => break,
            }
        }
        self.reading.progress.finish();
        Ok(self.poison.rest().map(Message::new))
    }
}

fn message(order: &Order) -> Result<Message, Failure> {
    let payload = serde_json::to_vec(order)?;
    Ok(Message::new(payload)
        .content_type(ContentType::JSON)
        .key(order.key())
        .id(order.id()))
}
