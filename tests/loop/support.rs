//! What the tests of the loop have in common: a broker under control, an application on it, and handlers that remember.

pub(crate) mod broker;
mod calls;
mod spy;

pub(crate) use broker::{Broker, away, now};
pub(crate) use calls::Calls;

use std::{
    fmt::Debug,
    future::Future,
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use mq::{App, Message, RunningApp, binding::BindingHandle, config::Config};
use tokio::time::{Instant, sleep, timeout};

/// The application's name, and so the group of its bindings.
pub(crate) const GROUP: &str = "test";

/// A test that hangs fails after so much paused time.
const VIRTUAL: Duration = Duration::from_secs(7 * 24 * 3600);

/// ...or, if it is busy and so lets no time pass, after so much real time.
const REAL: Duration = Duration::from_secs(60);

/// Runs a test with its deadlines.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let (done, waiting) = channel::<()>();
    std::thread::spawn(move || {
        if waiting.recv_timeout(REAL) == Err(RecvTimeoutError::Timeout) {
            // A busy loop cannot be ended from inside: the whole run has failed.
            busy(&name);
        }
    });
    let result = timeout(VIRTUAL, Box::pin(test)).await;
    drop(done);
    result.expect("the test waits for something that does not come")
}

#[expect(clippy::print_stderr, reason = "the process ends with the next line")]
fn busy(name: &str) -> ! {
    eprintln!("{name} is busy for {REAL:?}: the run is ended");
    std::process::abort();
}

/// An application called `test` on this broker, with these settings.
pub(crate) fn app(broker: &Broker, settings: &str) -> App {
    App::builder()
        .config(Config::toml(settings))
        .set("app.name", GROUP)
        .clock(broker.clock)
        .binder("main", broker.binder())
}

/// Starts an application that has no mistakes.
pub(crate) async fn start(app: App) -> RunningApp {
    let planned = app.build().unwrap_or_else(|problems| panic!("{problems}"));
    planned.start().await.expect("it starts")
}

/// The binding `orders`, which most tests have.
pub(crate) fn orders(app: &RunningApp) -> BindingHandle {
    binding(app, "orders")
}

/// The binding of this name.
pub(crate) fn binding(app: &RunningApp, name: &str) -> BindingHandle {
    let found = app.handle().binding(name);
    found.expect("there is such a binding").clone()
}

/// Lets time pass; everything that can happen in it happens.
pub(crate) async fn pass(time: Duration) {
    sleep(time).await;
}

/// Lets everything happen that takes no time.
pub(crate) async fn at_once() {
    pass(Duration::from_millis(1)).await;
}

/// Waits until the condition holds, for at most an hour of paused time.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < secs(3600), "not within an hour: {what}");
        look_again(begin).await;
    }
}

/// Waits until `value` is as expected, and shows both if that does not come.
pub(crate) async fn until_eq<T: PartialEq + Debug>(mut value: impl FnMut() -> T, expected: T) {
    let begin = Instant::now();
    loop {
        let found = value();
        if found == expected {
            return;
        }
        assert!(
            begin.elapsed() < secs(3600),
            "not within an hour: {expected:?}, but {found:?}"
        );
        look_again(begin).await;
    }
}

/// Often at first.
async fn look_again(begin: Instant) {
    let waited = begin.elapsed();
    pass((waited / 100).clamp(millis(5), millis(500))).await;
}

/// A message with a key.
pub(crate) fn keyed(key: &'static str, text: impl Into<String>) -> Message {
    Message::new(text.into()).key(key)
}

/// The payload as text.
pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.as_bytes()).into_owned()
}

/// Seconds.
pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
