//! `Output<T>`: publishing from inside a function, or from outside any.

use std::{
    borrow::Cow,
    fmt,
    marker::PhantomData,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::Serialize;

use super::{Extract, Preparation, Standing};
use crate::{
    binder::{Delivery, Receipt},
    codec::encode_exact,
    error::{Error, ErrorKind, Result},
    message::{ContentType, HeaderValue, Message},
    outcome::Failure,
    output::Outlet,
    units,
};

/// A typed publisher to one output binding; JSON.
///
/// `#[output("invoices")] out: Output<Invoice>` in a listener, or `app.output("invoices")?` anywhere.
pub struct Output<T: ?Sized> {
    outlet: Arc<Outlet>,
    value: PhantomData<fn(&T)>,
}

impl<T: ?Sized> Output<T> {
    /// Publishes through `outlet`.
    #[must_use]
    pub fn new(outlet: Arc<Outlet>) -> Self {
        Self {
            outlet,
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
            message,
        }
    }
}

/// A message on its way to an output; a mistake made while building it comes back from [`send`](Self::send).
#[must_use = "a message goes nowhere until `send` is awaited"]
pub struct OutputMessage<'a> {
    outlet: &'a Outlet,
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
        Self::new(self.outlet.clone())
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

impl<T: ?Sized + 'static> Standing for Output<T> {}

impl<T: ?Sized + 'static> Extract for Output<T> {
    type Prepared = Arc<Outlet>;

    fn prepare(start: &mut Preparation<'_>) -> Result<Arc<Outlet>> {
        start.next_outlet()
    }

    async fn extract(outlet: &Arc<Outlet>, _: &Delivery) -> Result<Self, Failure> {
        Ok(Self::new(outlet.clone()))
    }
}
