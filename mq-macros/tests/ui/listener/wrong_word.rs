use mq::prelude::*;

#[stream_listener(input = "orders", ordering = "keys")]
async fn ship(Text(_order): Text) {}

fn main() {}
