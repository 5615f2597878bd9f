//! One effect for each message: a claim before the handler, permanent with success, released with failure.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Arrival, Handled, busy::Busy};
use crate::{
    binder::Delivery,
    error::{BoxError, Error},
    idempotency::{Claim, Claimed, IdempotencyStore, KeySource, Scope},
    outcome::{Decision, Failure, Outcome},
    policy::Ordering,
    telemetry::BindingMetrics,
};

/// With what a binding claims its messages.
#[derive(Clone, Debug)]
pub struct IdempotencyOptions {
    /// Where claims are kept.
    pub store: Arc<dyn IdempotencyStore>,
    /// `<group>/<listener>`: who has had the effect.
    pub scope: Scope,
    /// What a message is known again by.
    pub key: KeySource,
    /// How long a claim holds without being renewed.
    pub lease: Duration,
    /// How long a permanent claim is remembered.
    pub window: Duration,
    /// What keeps its order: in a batch nothing of it is handled while something before it is claimed elsewhere.
    pub ordering: Ordering,
    /// The binding's counters.
    pub metrics: Arc<BindingMetrics>,
}

/// Adds [`Idempotency`].
#[derive(Clone, Debug)]
pub struct IdempotencyLayer {
    options: Arc<IdempotencyOptions>,
    /// Claims of calls that were dropped half-way.
    dropped: Arc<Mutex<Vec<Claim>>>,
}

impl IdempotencyLayer {
    /// With these options.
    #[must_use]
    pub fn new(options: IdempotencyOptions) -> Self {
        Self {
            options: Arc::new(options),
            dropped: Arc::default(),
        }
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &IdempotencyOptions {
        &self.options
    }
}

impl IdempotencyLayer {
    /// Gives claims back; where that fails, they end with their lease.
    pub(crate) async fn release(&self, claims: &[Claim]) {
        release(&self.options, claims).await;
    }

    /// The claims of calls that were dropped half-way since the last call: nobody else gives them back.
    pub(crate) fn take_dropped(&self) -> Vec<Claim> {
        std::mem::take(&mut self.dropped.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> Layer<S> for IdempotencyLayer {
    type Service = Idempotency<S>;

    fn layer(&self, inner: S) -> Idempotency<S> {
        Idempotency::new(inner, Some(self.clone()))
    }
}

/// Claims each message before the handler; a message whose effect is there already is acknowledged without it.
///
/// The claim travels with the answer: the loop makes it permanent once the outputs are confirmed.
#[derive(Clone, Debug)]
pub struct Idempotency<S> {
    inner: S,
    options: Option<IdempotencyLayer>,
}

impl<S> Idempotency<S> {
    /// Around `inner`; `None` costs nothing.
    #[must_use]
    pub fn new(inner: S, options: Option<IdempotencyLayer>) -> Self {
        Self { inner, options }
    }
}

impl<R, S> Service<R> for Idempotency<S>
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    type Response = R::Handled;
    type Error = BoxError;
    type Future = IdempotencyFuture<S::Future, R::Handled>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    fn call(&mut self, request: R) -> Self::Future {
        let Some(layer) = &self.options else {
            return IdempotencyFuture::Off {
                inner: self.inner.call(request),
            };
        };
        // The service that is ready makes the call; a clone waits for the next one.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        IdempotencyFuture::On {
            whole: Box::pin(guarded(ready, request, layer.clone())),
        }
    }
}

pin_project! {
    /// The future of [`Idempotency`].
    #[project = Projected]
    #[allow(missing_docs, reason = "the macro takes no documentation on pinned fields")]
    pub enum IdempotencyFuture<F, H> {
        /// No store: the inner call alone.
        Off {
            #[pin]
            inner: F,
        },
        /// Claim, inner call, release.
        On {
            whole: Pin<Box<dyn Future<Output = Result<H, BoxError>> + Send>>,
        },
    }
}

impl<F, H> Future for IdempotencyFuture<F, H>
where
    F: Future<Output = Result<H, BoxError>>,
{
    type Output = Result<H, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Off { inner } => inner.poll(cx),
            Projected::On { whole } => whole.as_mut().poll(cx),
        }
    }
}

/// Claims, calls the handler for what is to run while the claims are renewed, and releases the claims of what failed.
async fn guarded<R, S>(
    mut inner: S,
    request: R,
    layer: IdempotencyLayer,
) -> Result<R::Handled, BoxError>
where
    R: Arrival,
    S: Service<R, Response = R::Handled, Error = BoxError>,
{
    let options = layer.options();
    let Claimants {
        others,
        claims,
        behind,
    } = match claim(options, request.deliveries()).await {
        Ok(claimed) => claimed,
        Err(error) => return Ok(store_away(error).into()),
    };
    let keep: Vec<bool> = others.iter().map(Option::is_none).collect();
    let held = |claims| Held {
        claims,
        layer: layer.clone(),
    };
    let (mut claims, mut behind) = (held(claims), held(behind));
    release(options, &behind.claims).await;
    behind.claims.clear();
    let Some(left) = request.retain(&keep) else {
        return Ok(R::join(None, others));
    };
    let mark = left.mark();
    let call = inner.call(left);
    tokio::pin!(call);
    let mut handled = loop {
        tokio::select! {
            biased;
            handled = &mut call => break handled?,
            () = tokio::time::sleep(options.lease / 3) => renew(options, &claims.claims).await,
        }
    };
    let claims = std::mem::take(&mut claims.claims);
    let failed = attach(R::answers(&mut handled, &mark), claims);
    release(options, &failed).await;
    Ok(R::join(Some(handled), others))
}

/// Claims of a call that is under way.
struct Held {
    claims: Vec<Claim>,
    layer: IdempotencyLayer,
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.claims.is_empty() {
            let mut dropped = self
                .layer
                .dropped
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            dropped.append(&mut self.claims);
        }
    }
}

/// What the store said of a request.
#[derive(Default)]
struct Claimants {
    /// The answers for what is not to run, at its place.
    others: Vec<Option<Handled>>,
    /// For what is to run.
    claims: Vec<Claim>,
    /// For what would run, but comes behind something that is claimed elsewhere.
    behind: Vec<Claim>,
}

async fn claim(options: &IdempotencyOptions, deliveries: &[Delivery]) -> Result<Claimants, Error> {
    let keys: Vec<_> = deliveries.iter().map(|one| options.key.read(one)).collect();
    let known: Vec<_> = keys.iter().flatten().cloned().collect();
    let (store, scope) = (&options.store, &options.scope);
    let mut answers = store.claim(scope, &known, options.lease).await?.into_iter();
    let mut claimants = Claimants::default();
    let mut busy = Busy::new(options.ordering);
    for (delivery, key) in deliveries.iter().zip(&keys) {
        let other = match key.as_ref().and_then(|_| answers.next()) {
            Some(claimed) => {
                let claimed = busy.pass(claimed, delivery, &mut claimants.behind);
                judge(claimed, &mut claimants.claims, options)
            }
            None => key.is_none().then(|| no_key(&options.key).into()),
        };
        claimants.others.push(other);
    }
    Ok(claimants)
}

fn no_key(source: &KeySource) -> Failure {
    let what = match source {
        KeySource::Id => "id".to_owned(),
        KeySource::Key => "key".to_owned(),
        KeySource::Header(name) => format!("header `{name}`"),
    };
    Failure::dead_letter(format!("message has no {what} to know it again by")).kind("no-key")
}

/// The answer for a message that is not to run.
fn judge(
    claimed: Claimed,
    claims: &mut Vec<Claim>,
    options: &IdempotencyOptions,
) -> Option<Handled> {
    match claimed {
        Claimed::Run(claim) => {
            claims.push(claim);
            None
        }
        Claimed::Done => {
            options.metrics.duplicates.increment();
            Some(Outcome::Ack.into())
        }
        Claimed::Busy { wait } => Some(
            Failure::defer(wait, "the message is claimed elsewhere")
                .kind("busy")
                .into(),
        ),
    }
}

async fn renew(options: &IdempotencyOptions, claims: &[Claim]) {
    if let Err(error) = options
        .store
        .renew(&options.scope, claims, options.lease)
        .await
    {
        tracing::warn!(error = %error.chain(), "cannot renew claims; they may be taken over");
    }
}

/// Gives each success its claim; returns the claims of what failed.
fn attach(answers: &mut [Handled], claims: Vec<Claim>) -> Vec<Claim> {
    let mut failed = Vec::new();
    for (answer, claim) in answers.iter_mut().zip(claims) {
        match answer.outcome {
            Outcome::Ack => answer.claim = Some(Box::new(claim)),
            Outcome::Failed(_) => failed.push(claim),
        }
    }
    failed
}

async fn release(options: &IdempotencyOptions, claims: &[Claim]) {
    if claims.is_empty() {
        return;
    }
    if let Err(error) = options.store.release(&options.scope, claims).await {
        tracing::warn!(error = %error.chain(), "cannot release claims; they end with their lease");
    }
}

/// The store is away: nothing was handled, so no attempt is counted.
fn store_away(error: Error) -> Failure {
    Failure::from_error(Decision::Defer(Duration::from_secs(1)), error).kind("store")
}
