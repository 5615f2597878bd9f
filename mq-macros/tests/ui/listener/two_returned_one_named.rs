use mq::prelude::*;

#[stream_listener(input = "orders", output = "invoices")]
async fn ship(order: Text) -> (Text, Option<Text>) {
    (order, None)
}

fn main() {}
