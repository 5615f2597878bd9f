//! The scope through which a transaction reaches the handler and comes back.

use std::{
    any::Any,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use mq_core::{
    binder::Delivery,
    error::{ErrorKind, Result},
    idempotency::{IdempotencyKey, StoreTransaction, TransactionScope},
    message::Message,
    outbox::OutboxMessage,
};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what is done to it; rolls back when it is dropped open.
#[derive(Debug)]
struct Recorded {
    log: Log,
    open: bool,
}

impl Recorded {
    fn open(log: &Log) -> Box<dyn StoreTransaction> {
        Box::new(Self {
            log: log.clone(),
            open: true,
        })
    }

    fn write(&self, text: impl Into<String>) {
        self.log.lock().expect("a log").push(text.into());
    }
}

#[async_trait]
impl StoreTransaction for Recorded {
    async fn append(&mut self, messages: &[OutboxMessage]) -> Result<()> {
        self.write(format!("append {}", messages.len()));
        Ok(())
    }

    async fn forget(&mut self, keys: &[IdempotencyKey]) -> Result<()> {
        self.write(format!("forget {}", keys.len()));
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.open = false;
        self.write("commit");
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if self.open {
            self.write("rolled back");
        }
    }
}

fn lines(log: &Log) -> Vec<String> {
    log.lock().expect("a log").clone()
}

#[tokio::test]
async fn a_transaction_goes_through_the_delivery_to_the_handler_and_back() {
    let log = Log::default();
    let scope = TransactionScope::new(Recorded::open(&log));
    let mut delivery = Delivery::of(Message::new("in"));
    delivery.insert(scope.clone());

    let mut lent = delivery
        .get::<TransactionScope>()
        .expect("a scope")
        .lend()
        .expect("a transaction");
    let typed = lent.as_any_mut().downcast_mut::<Recorded>();
    typed.expect("the store's own type").write("handler");
    drop(lent);

    let mut transaction = scope.end().expect("the transaction");
    let output = OutboxMessage::new("payments", Message::new("out"));
    transaction.append(&[output]).await.expect("appended");
    transaction.commit().await.expect("committed");
    assert_eq!(lines(&log), ["handler", "append 1", "commit"]);
}

#[tokio::test]
async fn a_transaction_that_outlives_its_handler_is_rolled_back_and_reported() {
    let log = Log::default();
    let scope = TransactionScope::new(Recorded::open(&log));
    let lent = scope.lend().expect("a transaction");
    let error = scope.end().expect_err("still lent");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(lines(&log).is_empty());
    drop(lent);
    assert_eq!(lines(&log), ["rolled back"]);
    assert_eq!(scope.lend().expect_err("ended").kind(), ErrorKind::Closed);
}

#[test]
fn a_transaction_is_lent_to_one_at_a_time() {
    let log = Log::default();
    let scope = TransactionScope::new(Recorded::open(&log));
    let first = scope.lend().expect("a transaction");
    assert_eq!(scope.lend().expect_err("lent").kind(), ErrorKind::Config);
    drop(first);
    drop(scope.lend().expect("again"));
    drop(scope);
    assert_eq!(lines(&log), ["rolled back"]);
}
