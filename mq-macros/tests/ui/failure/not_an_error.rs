use mq::prelude::*;

#[derive(Debug, Failure)]
enum BillingError {
    #[failure(discard)]
    Cancelled,
}

fn main() {}
