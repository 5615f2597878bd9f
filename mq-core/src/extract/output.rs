//! `Output<T>`: publishing from inside a function, or from outside any.

use std::{
    borrow::Cow,
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::Serialize;

use super::{Extract, Preparation, Standing};
use crate::{
    binder::{Delivery, Receipt},
    codec::encode_exact,
    error::{Error, ErrorKind, Result},
    message::{ContentType, HeaderValue, IdSeed, Message, MessageId},
    output::Outlet,
    units,
};

/// A typed publisher to one output binding; JSON.
///
/// `#[output("invoices")] out: Output<Invoice>` in a listener, or `app.output("invoices")?` anywhere.
///
/// In a listener of single messages, what it sends gets ids that are derived from the input's, so that a repeated attempt sends the
/// same ids again, and carries on its trace context and correlation id. Elsewhere a message has an id where one is given.
pub struct Output<T: ?Sized> {
    outlet: Arc<Outlet>,
    cause: Option<Arc<Cause>>,
    value: PhantomData<fn(&T)>,
}

/// What the messages of a listener's `Output` are made from.
struct Cause {
    delivery: Delivery,
    seed: IdSeed,
    sent: AtomicU32,
}

impl Cause {
    fn mark(&self, message: &mut Message) {
        if message.as_id().is_none() {
            let index = self.sent.fetch_add(1, Relaxed);
            message.set_id(self.seed.derive(&self.delivery.id(), index));
        }
        self.delivery.pass_on(message);
    }
}

impl<T: ?Sized> Output<T> {
    /// Publishes through `outlet`.
    #[must_use]
    pub fn new(outlet: Arc<Outlet>) -> Self {
        Self {
            outlet,
            cause: None,
            value: PhantomData,
        }
    }
}

impl<T: Serialize + ?Sized> Output<T> {
    /// Publishes a value; returns its place once the broker has confirmed it.
    ///
    /// Dropping the future leaves it open whether the message was stored.
    ///
    /// # Errors
    /// The value cannot be encoded or is too large (permanent), or the broker did not confirm (see
    /// [`Error::is_temporary`]).
    pub async fn send(&self, value: &T) -> Result<Receipt> {
        self.message(value).send().await
    }

    /// A message with this value, to add a key, headers or a delay before sending.
    pub fn message(&self, value: &T) -> OutputMessage<'_> {
        let payload = encode_exact(|buffer| serde_json::to_writer(buffer, value));
        let message = payload
            .map(|payload| Message::new(payload).content_type(ContentType::JSON))
            .map_err(|error| {
                Error::new(ErrorKind::Codec, "cannot encode the value as JSON")
                    .operation("Output::message")
                    .source(error)
            });
        OutputMessage {
            outlet: &self.outlet,
            cause: self.cause.as_deref(),
            message,
        }
    }
}

/// A message on its way to an output; a mistake made while building it comes back from [`send`](Self::send).
#[must_use = "a message goes nowhere until `send` is awaited"]
pub struct OutputMessage<'a> {
    outlet: &'a Outlet,
    cause: Option<&'a Cause>,
    message: Result<Message>,
}

/// A delay: a `Duration`, or text such as `"10m"`.
pub trait IntoDelay {
    /// The delay.
    ///
    /// # Errors
    /// The text is no duration.
    fn into_delay(self) -> Result<Duration>;
}

impl IntoDelay for Duration {
    fn into_delay(self) -> Result<Duration> {
        Ok(self)
    }
}

impl IntoDelay for &str {
    fn into_delay(self) -> Result<Duration> {
        units::parse_duration(self).map_err(|error| {
            Error::new(
                ErrorKind::Config,
                format!("{}; {}", error.problem, error.help),
            )
        })
    }
}

impl OutputMessage<'_> {
    /// Sets the key.
    pub fn key(self, key: impl Into<Bytes>) -> Self {
        self.with(|message| message.key(key))
    }

    /// Sets the id, by which idempotent consumers know the message again.
    pub fn id(self, id: impl Into<MessageId>) -> Self {
        self.with(|message| message.id(id))
    }

    /// Appends a header.
    pub fn header(self, name: impl Into<Cow<'static, str>>, value: impl Into<HeaderValue>) -> Self {
        self.with(|message| message.header(name, value))
    }

    /// Not to be delivered before this delay has passed.
    pub fn after(mut self, delay: impl IntoDelay) -> Self {
        self.message = self
            .message
            .and_then(|message| Ok(message.deliver_at(SystemTime::now() + delay.into_delay()?)));
        self
    }

    fn with(mut self, change: impl FnOnce(Message) -> Message) -> Self {
        self.message = self.message.map(change);
        self
    }

    /// Publishes; returns the place once the broker has confirmed it.
    ///
    /// Dropping the future leaves it open whether the message was stored.
    ///
    /// # Errors
    /// As for [`Output::send`]; also what was wrong in building the message.
    pub async fn send(self) -> Result<Receipt> {
        let mut message = self.message?;
        if let Some(cause) = self.cause {
            cause.mark(&mut message);
        }
        self.outlet.prepare(&mut message)?;
        let mut results = self.outlet.publish(std::slice::from_ref(&message)).await;
        results.pop().unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Bug,
                "the binder returned no result for a message",
            ))
        })
    }
}

impl<T: ?Sized> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self {
            outlet: self.outlet.clone(),
            cause: self.cause.clone(),
            value: PhantomData,
        }
    }
}

impl<T: ?Sized> fmt::Debug for Output<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(self.outlet.name()).finish()
    }
}

impl fmt::Debug for OutputMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputMessage")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + 'static> Standing for Output<T> {
    fn standing((outlet, _): &(Arc<Outlet>, IdSeed)) -> Self {
        Self::new(outlet.clone())
    }
}

impl<T: ?Sized + 'static> Extract for Output<T> {
    type Prepared = (Arc<Outlet>, IdSeed);

    fn prepare(start: &mut Preparation<'_>) -> Result<(Arc<Outlet>, IdSeed)> {
        let outlet = start.next_outlet()?;
        let seed = IdSeed::new(&["output", start.function(), outlet.name()]);
        Ok((outlet, seed))
    }

    at_once!(|(outlet, seed), delivery| {
        let cause = Cause {
            delivery: delivery.clone(),
            seed: *seed,
            sent: AtomicU32::new(0),
        };
        Ok(Self {
            outlet: outlet.clone(),
            cause: Some(Arc::new(cause)),
            value: PhantomData,
        })
    });
}
