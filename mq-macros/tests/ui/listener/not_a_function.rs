use mq::prelude::*;

#[stream_listener(input = "orders")]
struct Ship;

fn main() {}
