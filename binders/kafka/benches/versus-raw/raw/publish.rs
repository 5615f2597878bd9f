//! A `ThreadedProducer` with 10,000 messages on their way; confirmations are counted by its delivery callback.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread::{self, Thread},
    time::Instant,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::FromClientConfigAndContext,
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};

use super::{PATIENCE, writing};
use crate::{
    Outcome,
    cost::{processor, since},
    job::{IN_FLIGHT, Job, Used},
    payload::Payloads,
};

/// The publisher is woken once for so many confirmations.
const WAKE: u64 = 1_000;

/// Counts confirmations.
pub(super) struct Confirmed {
    publisher: Thread,
    done: AtomicU64,
    failed: AtomicU64,
}

impl ClientContext for Confirmed {}

impl ProducerContext for Confirmed {
    type DeliveryOpaque = ();

    fn delivery(&self, delivery: &DeliveryResult<'_>, (): ()) {
        if delivery.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        let done = self.done.fetch_add(1, Ordering::Release) + 1;
        if done.is_multiple_of(WAKE) {
            self.publisher.unpark();
        }
    }
}

pub(super) type Client = ThreadedProducer<Confirmed>;

/// A client whose confirmations this thread waits for.
pub(super) fn client(config: &ClientConfig) -> Outcome<Client> {
    let confirmed = Confirmed {
        publisher: thread::current(),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    };
    Ok(Client::from_config_and_context(config, confirmed)?)
}

/// An error if a message was not stored.
pub(super) fn check(client: &Client) -> Outcome<()> {
    match client.context().failed.load(Ordering::Acquire) {
        0 => Ok(()),
        failed => Err(format!("{failed} messages were not stored").into()),
    }
}

/// Publishes so many messages and waits for the last confirmation.
fn send(client: &Client, topic: &str, payloads: &Payloads, messages: u64) -> Outcome<()> {
    let done = &client.context().done;
    let first = done.load(Ordering::Acquire);
    for number in 0..messages {
        while first + number - done.load(Ordering::Acquire) >= IN_FLIGHT as u64 {
            thread::park();
        }
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).payload(payloads.of(number));
        client.send(record).map_err(|(error, _)| error)?;
    }
    client.flush(PATIENCE)?;
    // The last callback may still be running when nothing is left in the client.
    while done.load(Ordering::Acquire) < first + messages {
        thread::yield_now();
    }
    check(client)
}

/// Publishes, after one message that finds out where the partitions are.
pub(crate) fn publish(job: &Job) -> Outcome<Used> {
    let before = processor();
    let payloads = Payloads::new(job.bytes);
    let client = client(&writing(&job.servers))?;
    send(&client, &job.output, &payloads, 1)?;
    let begin = Instant::now();
    send(&client, &job.output, &payloads, job.messages)?;
    Ok(since(begin, before))
}

/// Fills a topic for others to read; not compressed, so that reading is not the codec's time.
pub(crate) fn fill(servers: &str, topic: &str, bytes: usize, messages: u64) -> Outcome<()> {
    let mut config = writing(servers);
    config.set("compression.type", "none");
    let client = client(&config)?;
    send(&client, topic, &Payloads::new(bytes), messages)
}
