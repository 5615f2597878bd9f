use mq::prelude::*;

#[stream_listener(inptu = "orders", timeout = 10, ordering = "keys")]
fn ship(_order: &str) {}

fn main() {}
