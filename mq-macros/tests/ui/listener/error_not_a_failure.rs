use mq::prelude::*;

#[derive(Debug, thiserror::Error)]
#[error("no")]
struct No;

#[stream_listener(input = "greetings")]
async fn print(Text(_greeting): Text) -> Result<(), No> { Err(No) }

fn main() {}
