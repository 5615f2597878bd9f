//! Outputs and positions in one transaction of Kafka (KIP-98, KIP-447).

mod rights;

use std::{
    fmt,
    sync::Arc,
    thread::park_timeout,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mq_core::{
    binder::{Receipt, Receipts, SettleError, Settlement, Transaction},
    error::{Error, ErrorKind, Result},
    message::Message,
};
use rdkafka::{
    ClientConfig, config::FromClientConfigAndContext, consumer::Consumer, error::KafkaError,
    producer::Producer,
};
use tokio::{sync::oneshot, task::spawn_blocking};

use crate::{
    client::{Context, Link},
    consumer::{self, Commit, Shared},
    error,
    producer::{Client, Deliveries, placed, put},
};
use rights::Rights;

/// A message leaves the client's queue about this long after its confirmation was told.
const MOMENT: Duration = Duration::from_micros(50);

/// Between two attempts to abort.
const PAUSE: Duration = Duration::from_millis(50);

type Confirmations = oneshot::Receiver<Vec<Result<Receipt>>>;

/// What transactions of a consumer are made with.
#[derive(Clone)]
pub(crate) struct TransactionPlan {
    pub(crate) config: ClientConfig,
    pub(crate) link: Arc<Link>,
    pub(crate) timeout: Duration,
    pub(crate) max_message: u64,
}

impl fmt::Debug for TransactionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionPlan").finish_non_exhaustive()
    }
}

/// How far the step that is open has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is open in the cluster.
    Empty,
    /// Messages are in it.
    Open,
    /// The positions are in it as well.
    Positioned,
    /// Something has failed: it has to be aborted.
    Broken,
}

/// The steps of one consumer.
pub(crate) struct KafkaTransaction {
    client: Arc<Client>,
    shared: Arc<Shared>,
    plan: TransactionPlan,
    stage: Stage,
    settlements: Vec<Settlement>,
    confirmations: Vec<Confirmations>,
    receipts: Receipts,
    rights: Rights,
    /// Another instance has taken the transactional id, or the client cannot go on.
    is_fenced: bool,
}

impl fmt::Debug for KafkaTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTransaction")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl KafkaTransaction {
    /// Takes the transactional id, which ends what an earlier owner has left open.
    pub(crate) async fn open(plan: &TransactionPlan, shared: Arc<Shared>) -> Result<Self> {
        plan.link.open()?;
        let (own, timeout) = (plan.clone(), plan.timeout);
        let client = blocking(move || {
            let context = Context::new(&own.link, Deliveries::default());
            let client = Client::from_config_and_context(&own.config, context)?;
            client.init_transactions(timeout)?;
            Ok(client)
        })
        .await?;
        Ok(Self {
            client: Arc::new(client),
            rights: Rights::new(&shared.purpose()),
            shared,
            plan: plan.clone(),
            stage: Stage::Empty,
            settlements: Vec::new(),
            confirmations: Vec::new(),
            receipts: Vec::new(),
            is_fenced: false,
        })
    }

    fn usable(&self) -> Result<()> {
        self.plan.link.open()?;
        if self.is_fenced {
            return Err(error::lost());
        }
        if self.stage == Stage::Broken {
            let text = "something could not be added to the transaction; abort it, and begin again";
            return Err(error::config(text));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        if self.stage == Stage::Empty {
            self.client
                .begin_transaction()
                .map_err(|error| self.failed("beginning a transaction", &error))?;
            self.stage = Stage::Open;
        }
        Ok(())
    }

    fn failed(&mut self, what: &'static str, error: &KafkaError) -> Error {
        if let KafkaError::Transaction(error) = error
            && error.is_fatal()
        {
            self.is_fenced = true;
            return Error::new(
                ErrorKind::Lost,
                format!("{what} failed: {}", error.string()),
            );
        }
        error::classify(what, error)
    }

    async fn send(&mut self, messages: &[Message]) -> Result<()> {
        let client = self.client.clone();
        let deliveries = &client.context().hooks;
        let begun = deliveries.begin(messages.len());
        for (index, message) in messages.iter().enumerate() {
            let token = begun.token(index);
            let sent = match &message.properties().destination {
                None => Err(error::config(
                    "a message of a transaction names its destination",
                )),
                Some(destination) => {
                    self.rights.note(destination);
                    self.put(message, token).await
                }
            };
            if let Err(error) = sent {
                self.stage = Stage::Broken;
                return Err(error);
            }
        }
        self.confirmations.push(begun.done);
        Ok(())
    }

    async fn put(&self, message: &Message, token: usize) -> Result<()> {
        let put = || put(&self.client, "", message, token, self.plan.max_message);
        let is_full =
            |sent: &Result<()>| matches!(sent, Err(error) if error.kind() == ErrorKind::Full);
        let mut sent = put();
        while is_full(&sent) {
            // What becomes free from now on is told; what did before is found by trying.
            let room = self.client.context().hooks.room();
            sent = put();
            if is_full(&sent) {
                room.wait().await;
            }
        }
        sent
    }

    /// The positions of the step; `Lost` if a lane has gone.
    fn positions(&self) -> Result<Vec<Commit>> {
        let sorted = consumer::sort(&self.shared.lanes(), &self.settlements);
        match sorted.unsettled.into_iter().next() {
            None => Ok(sorted
                .commits
                .into_iter()
                .map(|(_, commit)| commit)
                .collect()),
            Some(unsettled) => Err(match unsettled.error {
                SettleError::Failed(error) => error,
                _ => error::lost(),
            }),
        }
    }

    async fn add_positions(&mut self) -> Result<()> {
        let positions = self.positions()?;
        let Some(consumer) = self.shared.client() else {
            return Err(error::lost());
        };
        if self.stage == Stage::Open && !positions.is_empty() && self.shared.group.is_some() {
            let (client, timeout) = (self.client.clone(), self.plan.timeout);
            let sent = blocking_kafka(move || {
                let list = consumer::list(positions.iter())?;
                let Some(group) = consumer.0.group_metadata() else {
                    return Ok(());
                };
                client.send_offsets_to_transaction(&list, &group, timeout)
            })
            .await?;
            sent.map_err(|error| self.failed("adding positions to a transaction", &error))?;
        }
        self.stage = Stage::Positioned;
        Ok(())
    }

    /// Waits until every message is stored; their receipts, in order.
    async fn confirmed(&mut self) -> Result<()> {
        for confirmation in std::mem::take(&mut self.confirmations) {
            let results = confirmation.await.map_err(|_| error::closed())?;
            let mut receipts = results.into_iter().collect::<Result<Receipts>>()?;
            if self.receipts.is_empty() {
                self.receipts = receipts;
            } else {
                self.receipts.append(&mut receipts);
            }
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<Receipts> {
        let (client, timeout) = (self.client.clone(), self.plan.timeout);
        let ended = blocking_kafka(move || {
            leave(&client, timeout);
            client.commit_transaction(timeout)
        })
        .await?;
        match ended {
            Ok(()) => {
                self.rights.allow(&self.plan.link);
                self.reset();
                Ok(std::mem::take(&mut self.receipts))
            }
            Err(error) => {
                let abort =
                    matches!(&error, KafkaError::Transaction(error) if error.txn_requires_abort());
                if abort {
                    self.stage = Stage::Broken;
                }
                Err(self.failed("committing a transaction", &error))
            }
        }
    }

    /// The error of a step that certainly has no effect. Whoever meets a temporary one would ask once more whether the step has ended:
    /// it has not, and has to be taken from its beginning.
    fn undone(&self, error: Error) -> Error {
        let error = self.rights.deny(&self.plan.link, error);
        if !error.is_temporary() {
            return error;
        }
        let text = format!("a transaction was undone: {}", error.chain());
        Error::new(ErrorKind::Lost, text)
    }

    /// Waits until nothing of the step is on its way: the coordinator has to know of a partition before it can be told to forget it.
    async fn settled(&mut self) {
        let waiting = std::mem::take(&mut self.confirmations);
        let ended = async {
            for confirmation in waiting {
                drop(confirmation.await);
            }
        };
        drop(tokio::time::timeout(self.plan.timeout, ended).await);
    }

    fn reset(&mut self) {
        self.stage = Stage::Empty;
        self.settlements.clear();
        self.confirmations.clear();
        self.rights.begin();
    }
}

#[async_trait]
impl Transaction for KafkaTransaction {
    async fn publish(&mut self, messages: &[Message]) -> Result<()> {
        self.usable()?;
        if messages.is_empty() {
            return Ok(());
        }
        let placed = placed(&self.client, "", messages, self.plan.timeout).await?;
        self.begin()?;
        self.send(&placed).await
    }

    async fn settle(&mut self, settlements: &[Settlement]) -> Result<()> {
        self.usable()?;
        self.settlements.extend_from_slice(settlements);
        Ok(())
    }

    async fn commit(&mut self) -> Result<Receipts> {
        self.usable()?;
        if self.stage == Stage::Empty && self.settlements.is_empty() {
            return Ok(Vec::new());
        }
        self.begin()?;
        let prepared = async {
            if self.stage == Stage::Open {
                // While the messages are still on their way.
                self.add_positions().await?;
                self.confirmed().await?;
            }
            Ok(())
        };
        if let Err(error) = prepared.await {
            self.stage = Stage::Broken;
            return Err(self.undone(error));
        }
        self.end().await
    }

    async fn abort(&mut self) -> Result<()> {
        let was_empty = self.stage == Stage::Empty;
        self.settled().await;
        self.reset();
        self.receipts.clear();
        if was_empty || self.is_fenced {
            return Ok(());
        }
        let (client, timeout) = (self.client.clone(), self.plan.timeout);
        let aborted = blocking_kafka(move || client.abort_transaction(timeout)).await?;
        aborted.map_err(|error| self.failed("aborting a transaction", &error))
    }
}

impl Drop for KafkaTransaction {
    fn drop(&mut self) {
        // Ending a client waits for its threads, and what is open is aborted first, so that readers need not wait for its time to pass.
        let (client, timeout) = (self.client.clone(), self.plan.timeout);
        let is_open = self.stage != Stage::Empty && !self.is_fenced;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || {
                if is_open {
                    give_up(&client, timeout);
                }
                drop(client);
            });
        }
    }
}

/// Waits until the client has let go of messages whose confirmations are known. A commit that finds one left polls for 100 ms for an event that
/// the polling thread has taken already.
fn leave(client: &Client, patience: Duration) {
    let begin = Instant::now();
    while client.in_flight_count() > 0 && begin.elapsed() < patience {
        park_timeout(MOMENT);
    }
}

/// Aborts what is open, also when a call that nobody waits for any more has to end first: readers would wait for the transaction's time
/// to pass.
fn give_up(client: &Client, patience: Duration) {
    let begin = Instant::now();
    while let Err(KafkaError::Transaction(error)) = client.abort_transaction(patience) {
        if error.is_fatal() || begin.elapsed() > 2 * patience {
            return;
        }
        park_timeout(PAUSE);
    }
}

async fn blocking_kafka<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<Result<T, KafkaError>> {
    spawn_blocking(work)
        .await
        .map_err(|error| error::bug("a transaction ended early").source(error))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T> {
    blocking_kafka(work)
        .await?
        .map_err(|error| error::classify("opening a transaction", &error))
}
