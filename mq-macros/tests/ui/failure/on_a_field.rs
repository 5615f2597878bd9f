use mq::prelude::*;

#[derive(Debug, thiserror::Error, Failure)]
enum BillingError {
    #[error("no rate for {0}")]
    UnknownCountry(#[failure(dead_letter)] String),
}

fn main() {}
