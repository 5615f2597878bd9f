use mq::prelude::*;

#[stream_listener(input = "orders", concurrency = 0)]
async fn ship(Text(_order): Text) {}

fn main() {}
