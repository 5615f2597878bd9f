use mq::prelude::*;

#[derive(Debug, thiserror::Error, Failure)]
enum BillingError {
    #[error("cancelled")]
    #[failure]
    Cancelled,
}

fn main() {}
