use mq::prelude::*;

#[stream_listener("orders")]
async fn ship(Text(_order): Text) {}

fn main() {}
