//! What a case works with: names of its own, instances of the binder, and short forms.

use std::{
    fmt::Display,
    future::Future,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use mq_core::{
    binder::{
        Binder, Capabilities, Capability, ConsumerSpec, DestinationPlan, Producer, ProducerSpec,
        Receipt,
    },
    error::{Error, ErrorKind},
    message::Message,
    policy::Provision,
};
use tokio::time::{sleep, timeout};

use super::{
    check::{Broken, Checked},
    members::Members,
    reader::Reader,
    subject::{Fault, Subject},
};

/// Tells runs on one broker apart.
fn run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let nanos = now.map_or(0, |since| since.as_nanos());
        format!(
            "t{:x}x{:x}",
            (nanos / 1000) & 0xfff_ffff_ffff,
            std::process::id()
        )
    })
}

/// One case's surroundings; cheap to clone.
#[derive(Clone)]
pub(crate) struct Context(Arc<Inner>);

struct Inner {
    subject: Subject,
    binder: Arc<dyn Binder>,
    prefix: String,
    opened: Mutex<Vec<Arc<dyn Binder>>>,
    made: Mutex<Vec<String>>,
    letters: Mutex<Vec<String>>,
}

/// The groups that cases read a destination of this name by. They are made with it: not every broker keeps what no group waits for.
fn readers_of(name: &str) -> &'static [&'static str] {
    match name {
        "orders" => &["billing", "shop"],
        "invoices" | "receipts" => &["printing"],
        _ => &["billing"],
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names and instances.
impl Context {
    pub(crate) fn new(subject: Subject, binder: Arc<dyn Binder>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Inner {
            subject,
            opened: Mutex::new(vec![binder.clone()]),
            binder,
            prefix: format!("{}-{number}", run()),
            made: Mutex::default(),
            letters: Mutex::default(),
        }))
    }

    /// The instance that most cases need.
    pub(crate) fn binder(&self) -> &Arc<dyn Binder> {
        &self.0.binder
    }

    /// Another instance on the same broker.
    pub(crate) async fn connect(&self) -> Checked<Arc<dyn Binder>> {
        let binder = self.0.subject.connect().await?;
        locked(&self.0.opened).push(binder.clone());
        Ok(binder)
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.0.binder.capabilities()
    }

    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.capabilities().has(capability)
    }

    /// How long something may take that has to happen.
    pub(crate) fn patience(&self) -> Duration {
        self.0.subject.time()
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// Makes trouble.
    pub(crate) async fn order(&self, fault: Fault, destination: &str) -> Checked {
        Ok(self.0.subject.order(fault, destination).await?)
    }

    /// A name that only this case uses.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.0.prefix)
    }

    /// A destination that only this case uses, made with as many partitions as the broker likes.
    pub(crate) async fn destination(&self, name: &str) -> Checked<String> {
        self.make(self.plan(name)).await
    }

    fn plan(&self, name: &str) -> DestinationPlan {
        let plan = DestinationPlan::new(self.name(name));
        let groups = readers_of(name).iter();
        groups.fold(plan, |plan, group| plan.group(self.name(group)))
    }

    /// Makes a group before its first reader.
    pub(crate) async fn provide(&self, destination: &str, group: &str) -> Checked {
        let plan = DestinationPlan::new(destination).group(self.name(group));
        self.binder().provision(&[plan], Provision::Create).await?;
        Ok(())
    }

    /// A destination of so many partitions.
    pub(crate) async fn partitioned(&self, name: &str, partitions: u32) -> Checked<String> {
        self.make(self.plan(name).partitions(partitions)).await
    }

    /// A destination with one partition: everything in it has an order.
    pub(crate) async fn ordered(&self, name: &str) -> Checked<String> {
        self.partitioned(name, 1).await
    }

    /// A destination of so many partitions where the broker has partitions.
    pub(crate) async fn partitioned_if_possible(
        &self,
        name: &str,
        partitions: u32,
    ) -> Checked<String> {
        if self.has(Capability::Partitions) {
            self.partitioned(name, partitions).await
        } else {
            self.destination(name).await
        }
    }

    async fn make(&self, plan: DestinationPlan) -> Checked<String> {
        let name = plan.name.to_string();
        self.clean_up(&name);
        let made = self.binder().provision(&[plan], Provision::Create).await;
        made?;
        Ok(name)
    }

    /// Has the destination removed when the case is over.
    pub(crate) fn clean_up(&self, destination: &str) {
        locked(&self.0.made).push(destination.to_owned());
    }

    /// Notes where dead letters go, so that somebody waits for them.
    pub(crate) fn expect_letters(&self, letters: &str) {
        self.clean_up(letters);
        locked(&self.0.letters).push(letters.to_owned());
    }

    /// Makes the group that reads dead letters.
    pub(crate) async fn provide_for_letters(&self) -> Checked {
        let letters = std::mem::take(&mut *locked(&self.0.letters));
        for one in letters {
            self.provide(&one, "mending").await?;
        }
        Ok(())
    }

    /// Removes what the case has made and closes what it has opened, as far as that is possible.
    pub(crate) async fn end(&self) {
        if self.subject().can(Fault::Cut) {
            // A case that failed may have left the connection cut.
            drop(self.subject().order(Fault::Mend, "").await);
        }
        let made = std::mem::take(&mut *locked(&self.0.made));
        let removing = async {
            for name in made {
                // Not every broker can; what stays has a name that nobody uses again.
                drop(self.binder().admin().delete(&name).await);
            }
        };
        drop(timeout(Duration::from_secs(5), removing).await);
        let opened = std::mem::take(&mut *locked(&self.0.opened));
        for binder in opened {
            drop(timeout(Duration::from_secs(5), binder.close()).await);
        }
    }
}

/// Publishing and subscribing.
impl Context {
    pub(crate) async fn producer(&self, destination: &str) -> Checked<Arc<dyn Producer>> {
        Ok(self
            .binder()
            .producer(&ProducerSpec::new(destination))
            .await?)
    }

    /// Publishes messages; each must be confirmed.
    pub(crate) async fn publish(
        &self,
        destination: &str,
        messages: &[Message],
    ) -> Checked<Vec<Receipt>> {
        let producer = self.producer(destination).await?;
        let publishing = producer.publish(messages);
        let results = self.within("the confirmation", publishing).await?;
        if results.len() != messages.len() {
            let (found, expected) = (results.len(), messages.len());
            return Err(Broken::new(format!(
                "`publish` returned {found} results for {expected} messages"
            )));
        }
        let mut receipts = Vec::with_capacity(results.len());
        for result in results {
            receipts.push(result?);
        }
        Ok(receipts)
    }

    /// Publishes texts without keys.
    pub(crate) async fn send(&self, destination: &str, texts: &[&str]) -> Checked {
        let messages: Vec<_> = texts
            .iter()
            .map(|text| Message::new((*text).to_owned()))
            .collect();
        self.publish(destination, &messages).await.map(drop)
    }

    /// What [`reader`](Self::reader) subscribes with; a group has a name that only this case uses.
    pub(crate) fn spec(&self, destination: &str, group: &str) -> ConsumerSpec {
        ConsumerSpec::new(destination, Some(&self.name(group)))
    }

    /// A consumer of this group that has its first assignment.
    pub(crate) async fn reader(&self, destination: &str, group: &str) -> Checked<Reader> {
        self.subscribe(self.binder(), &self.spec(destination, group))
            .await
    }

    /// The same, as soon as that is possible.
    pub(crate) async fn until_subscribed(&self, destination: &str, group: &str) -> Checked<Reader> {
        let begin = Instant::now();
        loop {
            match self.reader(destination, group).await {
                Ok(reader) => return Ok(reader),
                Err(broken) if begin.elapsed() > self.patience() => return Err(broken),
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// A consumer without a group.
    pub(crate) async fn anonymous(&self, destination: &str) -> Checked<Reader> {
        let spec = ConsumerSpec::new(destination, None);
        self.subscribe(self.binder(), &spec).await
    }

    /// So many consumers of this group that read at the same time.
    pub(crate) async fn members(
        &self,
        destination: &str,
        group: &str,
        count: usize,
    ) -> Checked<Members> {
        let mut members = Members::new(self.patience());
        for _ in 0..count {
            members.join(self.reader(destination, group).await?);
        }
        Ok(members)
    }

    pub(crate) async fn subscribe(
        &self,
        binder: &Arc<dyn Binder>,
        spec: &ConsumerSpec,
    ) -> Checked<Reader> {
        let consumer = binder.consumer(spec).await?;
        Reader::open(consumer, self.capabilities().settlement, self.patience()).await
    }
}

/// Waiting.
impl Context {
    /// The result of something that must end.
    pub(crate) async fn within<T>(
        &self,
        what: impl Display,
        future: impl Future<Output = T>,
    ) -> Checked<T> {
        let patience = self.patience();
        let result = timeout(patience, future).await;
        result.map_err(|_| Broken::new(format!("{what} did not come within {patience:?}")))
    }

    /// Waits until `holds` says that something is as it should be.
    pub(crate) async fn until<F>(&self, what: impl Display, mut holds: impl FnMut() -> F) -> Checked
    where
        F: Future<Output = Checked<bool>>,
    {
        let begin = Instant::now();
        while !holds().await? {
            if begin.elapsed() > self.patience() {
                let text = format!("not within {:?}: {what}", self.patience());
                return Err(Broken::new(text));
            }
            sleep(
                (begin.elapsed() / 10).clamp(Duration::from_millis(1), Duration::from_millis(100)),
            )
            .await;
        }
        Ok(())
    }
}

/// The call must have been refused as something that the binder cannot do.
#[track_caller]
pub(crate) fn unsupported<T>(what: &str, result: Result<T, Error>) -> Checked {
    refused(what, result, &[ErrorKind::Unsupported])
}

/// The call must have been refused with one of these kinds.
#[track_caller]
pub(crate) fn refused<T>(what: &str, result: Result<T, Error>, kinds: &[ErrorKind]) -> Checked {
    match result {
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => Err(Broken::new(format!(
            "{what} should be refused as {kinds:?}, but was as {:?}: {error}",
            error.kind()
        ))),
        Ok(_) => Err(Broken::new(format!(
            "{what} should be refused as {kinds:?}, but succeeded"
        ))),
    }
}

/// What a part of the contract answers that a binder need not have; without it the case is skipped.
#[track_caller]
pub(crate) fn optional<T>(what: &str, result: Result<T, Error>) -> Checked<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(Broken::skip(format!("it does not support {what}")))
        }
        other => Ok(other?),
    }
}

/// A message without a key.
pub(crate) fn plain(text: &str) -> Message {
    Message::new(text.to_owned())
}

/// A message with a key.
pub(crate) fn keyed(key: &str, text: &str) -> Message {
    plain(text).key(key.to_owned())
}

/// The texts of these numbers.
pub(crate) fn numbered(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{number:03}")).collect()
}

/// Messages with these texts; each is its own key, so that they spread.
pub(crate) fn spread(texts: &[String]) -> Vec<Message> {
    texts.iter().map(|text| keyed(text, text)).collect()
}
