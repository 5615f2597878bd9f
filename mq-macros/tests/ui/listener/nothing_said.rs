use mq::prelude::*;

#[stream_listener]
async fn print(Text(_greeting): Text) {}

fn main() {}
