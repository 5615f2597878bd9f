use mq::prelude::*;

#[stream_listener(input = "orders", batch(max = 500))]
async fn index(Text(_line): Text) {}

fn main() {}
