use mq::prelude::*;

struct Order;

#[stream_listener(input = "orders")]
async fn ship(Json(_order): Json<Order>) {}

fn main() {}
