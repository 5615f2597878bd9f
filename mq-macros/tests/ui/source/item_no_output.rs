use mq::prelude::*;

struct Ticks;

impl Stream for Ticks {
    type Item = u32;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<u32>> {
        std::task::Poll::Ready(None)
    }
}

#[stream_source(output = "ticks")]
fn ticks() -> impl Stream<Item = u32> {
    Ticks
}

fn main() {}
