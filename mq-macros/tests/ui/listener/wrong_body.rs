use mq::prelude::*;

#[stream_listener(input = "orders", output = "lengths")]
async fn measure(Text(order): Text) -> Json<usize> {
    order.len()
}

fn main() {}
