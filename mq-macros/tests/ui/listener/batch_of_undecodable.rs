use mq::prelude::*;

struct Order;

#[stream_listener(input = "lines", batch)]
async fn index(_orders: Batch<Json<Order>>) {}

fn main() {}
