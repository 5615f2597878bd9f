//! Several consumers of one group that read at the same time, each in a task of its own.

use std::time::Duration;

use mq_core::binder::{Event, Record};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    check::{Broken, Checked},
    reader::{Reader, texts},
};

/// Consumers that acknowledge what they get at once, and give lanes up when they are asked to.
pub(crate) struct Members {
    received: mpsc::Receiver<(usize, Vec<Record>)>,
    sender: mpsc::Sender<(usize, Vec<Record>)>,
    running: Vec<Running>,
    patience: Duration,
}

struct Running {
    task: JoinHandle<Checked<Reader>>,
    stop: watch::Sender<bool>,
    lanes: watch::Receiver<usize>,
}

impl Members {
    pub(crate) fn new(patience: Duration) -> Self {
        let (sender, received) = mpsc::channel(1_000);
        Self {
            received,
            sender,
            running: Vec::new(),
            patience,
        }
    }

    /// Lets one more consumer read.
    pub(crate) fn join(&mut self, reader: Reader) {
        let (stop, stopped) = watch::channel(false);
        let (count, lanes) = watch::channel(reader.lanes.len());
        let index = self.running.len();
        let task = tokio::spawn(pump(index, reader, self.sender.clone(), stopped, count));
        self.running.push(Running { task, stop, lanes });
    }

    /// Waits until the members read so many lanes, each in the order in which they joined.
    pub(crate) async fn lanes(&mut self, expected: &[usize]) -> Checked {
        for (running, expected) in self.running.iter_mut().zip(expected) {
            let waiting = running.lanes.wait_for(|count| count == expected);
            if !matches!(timeout(self.patience, waiting).await, Ok(Ok(_))) {
                let found: Vec<_> = self.running.iter().map(|one| *one.lanes.borrow()).collect();
                return Err(Broken::new(format!(
                    "members should come to read {expected:?} lanes, but read {found:?}"
                )));
            }
        }
        Ok(())
    }

    /// Texts of exactly `count` messages, with the member that got each, in order of arrival.
    pub(crate) async fn arrivals(&mut self, count: usize) -> Checked<Vec<(usize, String)>> {
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            match timeout(self.patience, self.received.recv()).await {
                Ok(Some((member, records))) => {
                    found.extend(texts(&records).into_iter().map(|text| (member, text)));
                }
                Ok(None) | Err(_) => {
                    let (got, patience) = (found.len(), self.patience);
                    return Err(Broken::new(format!(
                        "{got} of {count} messages came within {patience:?}: {found:?}"
                    )));
                }
            }
        }
        Ok(found)
    }

    /// The texts of exactly `count` messages, sorted.
    pub(crate) async fn texts(&mut self, count: usize) -> Checked<Vec<String>> {
        let arrivals = self.arrivals(count).await?;
        let mut found: Vec<_> = arrivals.into_iter().map(|(_, text)| text).collect();
        found.sort();
        Ok(found)
    }

    /// Takes a member out; what it has read is settled.
    pub(crate) async fn leave(&mut self, member: usize) -> Checked<Reader> {
        let running = &mut self.running[member];
        running.stop.send_replace(true);
        match timeout(self.patience, &mut running.task).await {
            Ok(Ok(reader)) => reader,
            Ok(Err(panic)) => Err(Broken::new(format!("a member panicked: {panic}"))),
            Err(_) => Err(Broken::new("a member did not come to an end")),
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.running.iter().for_each(|running| running.task.abort());
    }
}

async fn pump(
    index: usize,
    mut reader: Reader,
    sender: mpsc::Sender<(usize, Vec<Record>)>,
    mut stopped: watch::Receiver<bool>,
    lanes: watch::Sender<usize>,
) -> Checked<Reader> {
    loop {
        let (event, records) = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(reader),
            event = reader.wait(5) => event?,
        };
        match event {
            Event::Revoking { lanes, .. } => reader.let_go(&lanes).await?,
            Event::Ended(error) => return Err(error.into()),
            _ => {}
        }
        lanes.send_if_modified(|count| {
            std::mem::replace(count, reader.lanes.len()) != reader.lanes.len()
        });
        if !records.is_empty() {
            // Told before it is settled: who is next of a key comes after it.
            let Ok(()) = sender.send((index, records.clone())).await else {
                return Ok(reader);
            };
            reader.done(&records).await?;
        }
    }
}
