use mq::prelude::*;

#[derive(Debug, thiserror::Error, Failure)]
enum BillingError {
    #[error("bank asks us to come back")]
    #[failure(retry_after)]
    Busy,
}

fn main() {}
