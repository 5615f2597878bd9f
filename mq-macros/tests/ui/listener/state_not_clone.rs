use mq::prelude::*;

struct Rates;

#[stream_listener(input = "orders")]
async fn bill(Text(_order): Text, State(_rates): State<Rates>) {}

fn main() {}
