//! Listeners in odd places: made by a macro, inside of a function, beside other attributes.

use mq::prelude::*;

macro_rules! printer {
    ($name:ident, $input:literal, $payload:ty, $returns:ty) => {
        #[stream_listener(input = $input)]
        async fn $name(_payload: $payload) -> $returns {}
    };
}

printer!(lines, "lines", Text, ());
printer!(bytes, "bytes", Option<Bytes>, ());

#[stream_listener(input = "odd")]
#[must_use]
#[allow(non_snake_case, reason = "odd on purpose")]
/// Documented below.
async fn Odd(#[allow(unused_variables, reason = "odd on purpose")] text: Text) -> Outcome {
    Outcome::Ack
}

#[stream_listener(input = "none")]
async fn no_parameters() {}

#[stream_listener(input = "all")]
async fn many_parameters(
    _1: Json<(String, u8)>,
    _2: State<&'static str>,
    _3: Headers,
    _4: Attempt,
    _5: Delivery,
    _6: State<fn(&str) -> bool>,
    _7: Id,
    #[output("x")] _8: Output<[u8]>,
) {
}

fn main() {
    #[stream_listener(input = "inner")]
    async fn inner(text: Text) {
        drop(text);
    }
    let names: Vec<_> = mq::registry::listeners().iter().map(|one| one.name.to_string()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(mq::listener_of!(inner).input, "inner");
    assert_eq!(mq::listener_of!(Odd).name.as_ref(), "Odd");
    assert_eq!(mq::listener_of!(many_parameters).publishes, ["x"]);
}
