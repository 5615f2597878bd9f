//! What the suite needs from a binder.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use mq_core::{
    binder::Binder,
    error::{Error, ErrorKind, Result},
};

/// How long something may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Trouble that a subject can make on demand. What it cannot make is a skipped case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The connections of this subject's instances break, and none can be made until [`Fault::Mend`].
    Cut,
    /// Ends [`Fault::Cut`] and whatever else was ordered. Whoever can cut can mend.
    Mend,
    /// The broker ends and starts again, with what it has stored.
    Restart,
    /// The broker refuses the next message to the destination, temporarily.
    RefusePublish,
    /// The broker stores the messages of the next `publish` to the destination, or of the next `commit` with it, but its confirmation does not
    /// arrive.
    LoseConfirm,
    /// The broker forgets the next acknowledgement (or commit) after it was answered: the message is delivered again.
    LoseAck,
    /// The lanes of the destination are taken from their consumers without asking, and given out again.
    LoseLanes,
}

impl Fault {
    /// The name, as reasons of skips show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Mend => "mend",
            Self::Restart => "restart",
            Self::RefusePublish => "refuse-publish",
            Self::LoseConfirm => "lose-confirm",
            Self::LoseAck => "lose-ack",
            Self::LoseLanes => "lose-lanes",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

type Pending<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;
type Connect = dyn Fn() -> Pending<Arc<dyn Binder>> + Send + Sync;
type Order = dyn Fn(Fault, String) -> Pending<()> + Send + Sync;

/// A binder under test: how to get instances of it, and how to make trouble.
///
/// One case gets one subject; its instances reach the same broker.
/// Several subjects may reach one broker too: every case has destinations and groups of its own.
#[derive(Clone)]
pub struct Subject {
    name: Arc<str>,
    connect: Arc<Connect>,
    faults: Vec<Fault>,
    order: Option<Arc<Order>>,
    patience: Duration,
    is_shared: bool,
    is_embedded: bool,
    refunds: Arc<str>,
}

impl Subject {
    /// A binder called `name`; each call of `connect` gives another instance, connected to the same broker.
    ///
    /// If `connect` fails with [`ErrorKind::Unavailable`], the server is missing and the case is skipped, unless the environment
    /// variable `MQ_REQUIRE` names the subject.
    pub fn new<F, C, B>(name: impl Into<Arc<str>>, connect: F) -> Self
    where
        F: Fn() -> C + Send + Sync + 'static,
        C: Future<Output = Result<B>> + Send + 'static,
        B: Binder + 'static,
    {
        let connect = move || -> Pending<Arc<dyn Binder>> {
            let connecting = connect();
            Box::pin(async move { Ok(Arc::new(connecting.await?) as Arc<dyn Binder>) })
        };
        Self {
            name: name.into(),
            connect: Arc::new(connect),
            faults: Vec::new(),
            order: None,
            patience: PATIENCE,
            is_shared: false,
            is_embedded: false,
            refunds: "headers['type'] == 'refund'".into(),
        }
    }

    /// Says which trouble can be made, and how: `order` is called with one of `faults` (or [`Fault::Mend`]) and a destination, which is
    /// empty where the fault has none. The trouble has begun when its future ends.
    #[must_use]
    pub fn faults<F, O>(mut self, faults: &[Fault], order: F) -> Self
    where
        F: Fn(Fault, String) -> O + Send + Sync + 'static,
        O: Future<Output = Result<()>> + Send + 'static,
    {
        self.faults = faults.to_vec();
        self.order = Some(Arc::new(move |fault, destination| {
            Box::pin(order(fault, destination))
        }));
        self
    }

    /// How long something may take that has to happen: 10 s by default. A case may take three times as long, or what it asks for.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Says that other cases use the same broker: a case that restarts it runs alone.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }

    /// Says that the broker is a part of the process: a restart takes its instances with it.
    #[must_use]
    pub fn embedded(mut self) -> Self {
        self.is_embedded = true;
        self
    }

    /// How a filter is written, where the broker has filters, that lets through messages whose header `type` is `refund`;
    /// `headers['type'] == 'refund'` by default.
    #[must_use]
    pub fn filter(mut self, refunds: impl Into<Arc<str>>) -> Self {
        self.refunds = refunds.into();
        self
    }

    /// Puts something around each instance that is connected: a recorder, a limit, a mistake.
    #[must_use]
    pub fn wrap<B: Binder + 'static>(
        mut self,
        wrap: impl Fn(Arc<dyn Binder>) -> B + Send + Sync + 'static,
    ) -> Self {
        let (connect, wrap) = (self.connect, Arc::new(wrap));
        self.connect = Arc::new(move || {
            let (connecting, wrap) = (connect(), wrap.clone());
            Box::pin(async move { Ok(Arc::new(wrap(connecting.await?)) as Arc<dyn Binder>) })
        });
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn connect(&self) -> Result<Arc<dyn Binder>> {
        (self.connect)().await
    }

    pub(crate) fn can(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    pub(crate) async fn order(&self, fault: Fault, destination: &str) -> Result<()> {
        let Some(order) = &self.order else {
            let text = format!("the subject cannot make this trouble: {fault}");
            return Err(Error::new(ErrorKind::Unsupported, text));
        };
        order(fault, destination.to_owned()).await
    }

    pub(crate) fn time(&self) -> Duration {
        self.patience
    }

    /// A filter for refunds.
    pub(crate) fn refunds(&self) -> &str {
        &self.refunds
    }

    pub(crate) fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("name", &self.name)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// What [`conformance!`](crate::conformance!) takes: a [`Subject`], or an async closure that connects.
///
/// `M` only tells the two apart.
pub trait IntoSubject<M> {
    /// The subject; `name` is for closures, which have none.
    fn into_subject(self, name: &'static str) -> Subject;
}

impl IntoSubject<()> for Subject {
    fn into_subject(self, _: &'static str) -> Subject {
        self
    }
}

impl<F, C, B> IntoSubject<(C, B)> for F
where
    F: Fn() -> C + Send + Sync + 'static,
    C: Future<Output = Result<B>> + Send + 'static,
    B: Binder + 'static,
{
    fn into_subject(self, name: &'static str) -> Subject {
        Subject::new(name, self)
    }
}
