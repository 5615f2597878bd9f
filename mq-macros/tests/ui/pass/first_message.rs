//! The first service, with its lints turned up: what is generated warns of nothing.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, missing_debug_implementations)]
#![forbid(unsafe_code)]

use mq::prelude::*;

#[stream_source(output = "greetings", every = "1s")]
async fn greet() -> Text {
    Text("hello".into())
}

#[stream_listener(input = "greetings")]
async fn print(Text(greeting): Text) {
    println!("{greeting}");
}

/// Public, documented and not async.
#[stream_source(outputs = ["ticks", "tocks"], name = "clock")]
pub fn ticks(State(feed): State<Feed>) -> impl Stream<Item = (Text, Option<Text>)> {
    feed
}

/// Gives nothing.
#[derive(Clone, Debug)]
pub struct Feed;

impl Stream for Feed {
    type Item = (Text, Option<Text>);

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(None)
    }
}

mod by_hand {
    /// A name that the framework uses inside, and a raw one.
    #[mq::stream_listener(input = "hands", crate = "::mq")]
    pub(super) async fn listener(mq::extract::Text(_line): mq::extract::Text) {}

    #[mq::stream_listener(input = "types")]
    pub(super) async fn r#type(mq::extract::Text(_line): mq::extract::Text) {}

    #[mq::stream_source(output = "hands")]
    pub(super) fn source() -> std::pin::Pin<Box<dyn mq::function::Stream<Item = mq::extract::Text> + Send>> {
        Box::pin(Nothing)
    }

    struct Nothing;

    impl mq::function::Stream for Nothing {
        type Item = mq::extract::Text;

        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(None)
        }
    }
}

#[stream_listener(input = "never")]
#[cfg(any())]
async fn never(_nothing: NoSuchType) {}

fn main() {
    let _app = App::builder()
        .listener(mq::listener_of!(print))
        .listener(mq::listener_of!(by_hand::listener))
        .listener(mq::listener_of!(by_hand::r#type))
        .source_listener(mq::source_of!(by_hand::source))
        .source_listener(mq::source_of!(ticks));
    assert_eq!(mq::listener_of!(by_hand::r#type).name.as_ref(), "type");
    assert_eq!(mq::source_of!(ticks).name.as_ref(), "clock");
    assert_eq!(mq::source_of!(greet).location.line, 8);
    assert_eq!(mq::registry::listeners().len(), 3);
    assert_eq!(mq::registry::sources().len(), 3);
}
