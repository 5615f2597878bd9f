use mq::prelude::*;

#[stream_listener(input = "orders")]
async fn ship(Json(_name): Json<&str>) {}

fn main() {}
