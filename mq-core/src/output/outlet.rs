//! One output binding at run time.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::KeyRule;
use crate::{
    binder::{Binder, Producer, ProducerSpec, Receipt},
    error::{Error, ErrorKind, ErrorStatus, Result},
    message::{ContentType, Message},
    telemetry::BindingMetrics,
};

/// The rules of an output binding.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutletOptions {
    /// What the producer is opened with.
    pub spec: ProducerSpec,
    /// Where a key comes from that the function has not set.
    pub key: Option<KeyRule>,
    /// The content type of payloads that name none.
    pub content_type: Option<ContentType>,
    /// The largest payload, in bytes.
    pub max_payload: Option<u64>,
}

impl OutletOptions {
    /// Everything as the function sets it.
    #[must_use]
    pub fn new(spec: ProducerSpec) -> Self {
        Self {
            spec,
            key: None,
            content_type: None,
            max_payload: None,
        }
    }
}

/// A binder instance that is connected later: what is planned with it can be made before.
#[derive(Clone, Debug, Default)]
pub struct BinderSlot(Arc<OnceLock<Arc<dyn Binder>>>);

impl BinderSlot {
    /// The instance is connected. Only the first call counts.
    pub fn fill(&self, binder: Arc<dyn Binder>) {
        drop(self.0.set(binder));
    }

    /// The instance.
    ///
    /// # Errors
    /// It is not connected yet (temporary).
    pub fn get(&self) -> Result<&Arc<dyn Binder>> {
        self.0.get().ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "the binder is not connected yet")
                .temporary()
                .operation("BinderSlot::get")
        })
    }
}

impl From<Arc<dyn Binder>> for BinderSlot {
    fn from(binder: Arc<dyn Binder>) -> Self {
        let slot = Self::default();
        slot.fill(binder);
        slot
    }
}

/// An output binding: opens its producer when it is first needed, and again after a fatal error.
pub struct Outlet {
    binder: BinderSlot,
    options: OutletOptions,
    metrics: Arc<BindingMetrics>,
    /// Names the destination, and has no more: what a message has that names none itself.
    address: Message,
    producer: Mutex<Option<Arc<dyn Producer>>>,
    /// Held while a producer is opened: one is opened at a time.
    opening: tokio::sync::Mutex<()>,
}

impl Outlet {
    /// An output through `binder`.
    #[must_use]
    pub fn new(
        binder: impl Into<BinderSlot>,
        options: OutletOptions,
        metrics: Arc<BindingMetrics>,
    ) -> Self {
        Self {
            binder: binder.into(),
            address: Message::tombstone().destination(options.spec.destination.clone()),
            options,
            metrics,
            producer: Mutex::new(None),
            opening: tokio::sync::Mutex::new(()),
        }
    }

    /// The binding's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.options.spec.binding
    }

    /// The destination of messages that name none.
    #[must_use]
    pub fn destination(&self) -> &Arc<str> {
        &self.options.spec.destination
    }

    /// The binder behind it.
    #[must_use]
    pub fn binder(&self) -> &BinderSlot {
        &self.binder
    }

    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<BindingMetrics> {
        &self.metrics
    }

    /// Whether there are rules for messages at all.
    pub(crate) fn has_rules(&self) -> bool {
        let options = &self.options;
        options.key.is_some() || options.content_type.is_some() || options.max_payload.is_some()
    }

    /// Applies the binding's rules to a message that is about to be published.
    ///
    /// # Errors
    /// The payload is too large; publishing it again would fail again.
    #[inline]
    pub fn prepare(&self, message: &mut Message) -> Result<()> {
        if message.as_key().is_none()
            && let Some(key) = self
                .options
                .key
                .as_ref()
                .and_then(|rule| rule.key_of(message))
        {
            message.set_key(key);
        }
        if message.as_content_type().is_none()
            && let Some(content_type) = &self.options.content_type
        {
            message.set_content_type(content_type.clone());
        }
        let size = message.as_bytes().len() as u64;
        match self.options.max_payload {
            Some(limit) if size > limit => Err(self.too_large(size, limit)),
            _ => Ok(()),
        }
    }

    /// Writes the destination into a message that names none.
    pub(crate) fn address(&self, message: &mut Message) {
        message.set_destination_of(&self.address);
    }

    #[cold]
    fn too_large(&self, size: u64, limit: u64) -> Error {
        Error::new(
            ErrorKind::TooLarge,
            "payload is larger than the output allows; raise `producer.max_payload` or send less",
        )
        .operation("Outlet::prepare")
        .context("binding", self.name())
        .context("bytes", size)
        .context("limit", limit)
    }

    /// Publishes prepared messages in order; a result for each, once confirmed.
    ///
    /// Dropping the future leaves it open which messages were stored.
    pub async fn publish(&self, messages: &[Message]) -> Vec<Result<Receipt>> {
        self.publish_counted(messages).await.0
    }

    /// The same; returns also how many were confirmed.
    pub(crate) async fn publish_counted(
        &self,
        messages: &[Message],
    ) -> (Vec<Result<Receipt>>, usize) {
        let producer = match self.producer().await {
            Ok(producer) => producer,
            Err(error) => {
                let unopened = messages.iter().map(|_| Err(self.unopened(&error)));
                return (unopened.collect(), 0);
            }
        };
        let results = producer.publish(messages).await;
        let sent = results.iter().filter(|result| result.is_ok()).count();
        self.metrics.published.add(sent as u64);
        if sent < results.len() {
            self.not_all_sent(&results, results.len() - sent);
        }
        (results, sent)
    }

    #[cold]
    fn not_all_sent(&self, results: &[Result<Receipt>], failures: usize) {
        self.metrics.publish_failures.add(failures as u64);
        let is_fatal = |error: &Error| error.status() == ErrorStatus::Fatal;
        if results
            .iter()
            .any(|result| result.as_ref().is_err_and(is_fatal))
        {
            *self.opened() = None;
        }
    }

    fn unopened(&self, error: &Error) -> Error {
        let copy = Error::new(error.kind(), error.to_string())
            .operation("Outlet::publish")
            .context("binding", self.name());
        if error.status() == ErrorStatus::Permanent {
            copy
        } else {
            copy.temporary()
        }
    }

    async fn producer(&self) -> Result<Arc<dyn Producer>> {
        if let Some(producer) = &*self.opened() {
            return Ok(producer.clone());
        }
        self.open().await
    }

    /// The producer, opened by this call or by the one before it.
    async fn open(&self) -> Result<Arc<dyn Producer>> {
        let _opening = self.opening.lock().await;
        if let Some(producer) = &*self.opened() {
            return Ok(producer.clone());
        }
        let producer = self.binder.get()?.producer(&self.options.spec).await?;
        *self.opened() = Some(producer.clone());
        Ok(producer)
    }

    fn opened(&self) -> MutexGuard<'_, Option<Arc<dyn Producer>>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Flushes and closes the producer; a later publication opens a new one.
    ///
    /// # Errors
    /// Something could not be delivered.
    pub async fn close(&self) -> Result<()> {
        let _opening = self.opening.lock().await;
        let opened = self.opened().take();
        match opened {
            Some(producer) => producer.close().await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The outputs of an application, by binding name.
#[derive(Clone, Debug, Default)]
pub struct Outlets(BTreeMap<String, Arc<Outlet>>);

impl Outlets {
    /// The output of this name.
    ///
    /// # Errors
    /// There is no such output binding.
    pub fn get(&self, name: &str) -> Result<&Arc<Outlet>> {
        self.0.get(name).ok_or_else(|| {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            Error::new(
                ErrorKind::NotFound,
                format!(
                    "no output binding `{name}`; there are: {}",
                    known.join(", ")
                ),
            )
        })
    }

    /// Adds an output.
    pub fn insert(&mut self, outlet: Arc<Outlet>) {
        self.0.insert(outlet.name().to_string(), outlet);
    }

    /// Every output.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Outlet>> {
        self.0.values()
    }
}
