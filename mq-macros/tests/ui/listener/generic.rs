use mq::prelude::*;

#[stream_listener(input = "orders")]
async fn ship<T: serde::de::DeserializeOwned + Send>(Json(_order): Json<T>) {}

fn main() {}
