use mq::prelude::*;

#[derive(serde::Deserialize)]
struct Order;

#[stream_listener(input = "orders")]
async fn ship(_order: &Order) {}

fn main() {}
