use mq::prelude::*;

#[stream_listener(input = "orders", outputs = ["invoices", "parcels"])]
async fn ship(order: Text) -> Text {
    order
}

fn main() {}
