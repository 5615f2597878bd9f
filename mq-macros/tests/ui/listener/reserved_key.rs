use mq::prelude::*;

#[stream_listener(input = "orders", condition = "payload.total > 1000.0")]
async fn review(Text(_order): Text) {}

fn main() {}
