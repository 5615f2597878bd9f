use mq::prelude::*;

struct Order;

#[stream_listener(input = "orders", output = "x")]
async fn ship(Text(_order): Text) -> Json<Order> { Json(Order) }

fn main() {}
