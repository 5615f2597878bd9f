use mq::prelude::*;

#[derive(Clone)]
struct Search;

#[stream_listener(input = "orders", batch(max = 500))]
async fn index(State(_search): State<Search>) {}

fn main() {}
