use mq::prelude::*;

#[stream_listener(input = "orders", batch)]
async fn ship(_orders: Batch<Text>, _again: Batch<Bytes>) {}

fn main() {}
