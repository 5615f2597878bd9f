use mq::prelude::*;

#[stream_listener(input = "orders")]
async fn ship(_order: impl Send) {}

fn main() {}
