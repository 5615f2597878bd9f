use mq::prelude::*;

#[derive(Debug, thiserror::Error, Failure)]
enum BillingError {
    #[error("cancelled")]
    #[failure(discard, retry)]
    Cancelled,
}

fn main() {}
