use mq::prelude::*;

#[stream_listener(input = "greetings")]
async fn print(Text(_greeting): Text) -> Result<(), std::io::Error> {
    Ok(())
}

fn main() {}
