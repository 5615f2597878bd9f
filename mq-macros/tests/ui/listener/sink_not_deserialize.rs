use mq::prelude::*;

struct Order;
struct Ledger;

impl Sink for Ledger {
    type Input = Json<Order>;

    async fn handle(&self, Json(_order): Json<Order>) -> Result<(), Failure> {
        Ok(())
    }
}

fn main() {}
