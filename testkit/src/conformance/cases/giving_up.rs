//! A service on the binder: what becomes of messages that cannot be handled.

use mq_core::{binding::BindingState, message::names, outcome::Failure};

use super::prelude::*;

/// Two calls in place, at once after each other.
pub(super) const TWO: &str = "retry = { attempts = 2, initial = '1ms' }\n";

/// A trace context.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub(super) fn broken() -> Failure {
    Failure::retry("out of paper").kind("Printer")
}

/// The dead letters of `orders`, of which there must be so many, and no more before one that is sent now.
pub(super) async fn letters(c: &Context, orders: &str, count: usize) -> Checked<Vec<Message>> {
    let letters = c.dead_letters(orders);
    let mut reader = c.reader(&letters, "mending").await?;
    let found: Vec<_> = reader
        .take(count)
        .await?
        .into_iter()
        .map(|record| record.message)
        .collect();
    c.send(&letters, &["end"]).await?;
    ensure_eq!(
        text(&reader.next().await?),
        "end",
        "what came behind the dead letters"
    );
    Ok(found)
}

/// Lets a service handle the text `a` until it fails for good; returns the letter and the calls.
pub(super) async fn give_up(
    c: &Context,
    settings: &str,
    failure: impl Fn() -> Failure + Clone + Send + Sync + 'static,
) -> Checked<(Message, Vec<String>)> {
    let orders = c.ordered("orders").await?;
    let calls = Calls::new(c);
    let handler = calls.handler(move |text, _| if text == "a" { Err(failure()) } else { Ok(()) });
    let service = c
        .start(
            c.app(&[("orders", &orders)], settings)
                .sink("orders", handler),
        )
        .await?;
    c.send(&orders, &["a"]).await?;
    let letter = letters(c, &orders, 1).await?.remove(0);
    service.stop().await?;
    ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
    Ok((letter, calls.attempts()))
}

pub(crate) fn a_dead_letter_tells_its_story() -> Case {
    Case::new(|c| async move {
        let (letter, _) = give_up(&c, TWO, broken).await?;
        let headers = letter.as_headers();
        let (orders, group) = (c.name("orders"), c.name("shop"));
        let story = [
            (names::ERROR_REASON, "exhausted"),
            (names::ERROR_TYPE, "Printer"),
            (names::ERROR_MESSAGE, "out of paper"),
            (names::ATTEMPT, "2"),
            (names::ORIGINAL_DESTINATION, &*orders),
            (names::ORIGINAL_GROUP, &*group),
            (names::ORIGINAL_PARTITION, "0"),
        ];
        for (name, value) in story {
            ensure_eq!(headers.text(name), Some(value), "header `{name}`");
        }
        let times =
            [names::FIRST_FAILURE, names::LAST_FAILURE].map(|name| headers.parse::<u64>(name));
        ensure!(
            times[0].is_some() && times[0] <= times[1],
            "the times of the failures: {times:?}"
        );
        Ok(())
    })
}

pub(crate) fn a_dead_letter_keeps_all_of_its_message() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let sent = Message::new(vec![0_u8, 255, 7])
            .key("k")
            .header("mine", vec![0, 255])
            .header("mine", "2");
        let sent = sent
            .header("traceparent", TRACE)
            .content_type("application/x-unknown")
            .id("7")
            .correlation_id("c");
        let listener = |_: bytes::Bytes| async { Err::<(), _>(Failure::dead_letter("no")) };
        let service = c
            .start(c.app(&[("orders", &orders)], "").sink("orders", listener))
            .await?;
        c.publish(&orders, std::slice::from_ref(&sent)).await?;
        let letter = letters(&c, &orders, 1).await?.remove(0);
        service.stop().await?;
        ensure_eq!(
            (letter.as_payload(), letter.as_key()),
            (sent.as_payload(), sent.as_key()),
            "payload and key"
        );
        let mine = |message: &Message| {
            message
                .as_headers()
                .get_all("mine")
                .cloned()
                .collect::<Vec<_>>()
        };
        ensure_eq!(mine(&letter), mine(&sent), "its own headers");
        let trace = letter.as_headers().text("traceparent");
        ensure_eq!(
            trace.and_then(|trace| trace.get(3..35)),
            TRACE.get(3..35),
            "the trace"
        );
        ensure_eq!(
            (letter.as_id(), letter.as_content_type()),
            (sent.as_id(), sent.as_content_type()),
            "id and content type"
        );
        ensure_eq!(
            &letter.properties().correlation_id,
            &sent.properties().correlation_id,
            "the correlation id"
        );
        Ok(())
    })
}

pub(crate) fn a_dead_letter_may_go_elsewhere() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let graveyard = c.destination("graveyard").await?;
        c.provide(&graveyard, "mending").await?;
        let settings = format!("dead_letter = {{ destination = '{graveyard}' }}");
        let handler = Calls::new(&c).handler(|_, _| Err::<(), _>(Failure::dead_letter("no")));
        let service = c
            .start(
                c.app(&[("orders", &orders)], &settings)
                    .sink("orders", handler),
            )
            .await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(
            c.reader(&graveyard, "mending").await?.texts(1).await?,
            ["a"],
            "the dead letter"
        );
        service.stop().await.map(drop)
    })
}

pub(crate) fn a_rejected_message_is_not_tried_again() -> Case {
    Case::new(|c| async move {
        let (letter, calls) = give_up(&c, TWO, || Failure::dead_letter("no such country")).await?;
        ensure_eq!(calls, ["a#1"], "the calls");
        ensure_eq!(
            letter.as_headers().text(names::ERROR_REASON),
            Some("rejected"),
            "the reason"
        );
        Ok(())
    })
}

pub(crate) fn a_discarded_message_leaves_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|text, _| match text {
            "a" => Err::<(), _>(Failure::discard("cancelled")),
            _ => Err(Failure::dead_letter("no")),
        });
        let service = c
            .start(c.app(&[("orders", &orders)], "").sink("orders", handler))
            .await?;
        c.send(&orders, &["a", "b"]).await?;
        let found = letters(&c, &orders, 1).await?;
        service.stop().await?;
        ensure_eq!(found[0].as_bytes(), b"b", "the only dead letter");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn an_exhausted_message_may_be_discarded() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|_, _| Err::<(), _>(broken()));
        let settings = format!("{TWO}exhausted = 'discard'");
        let service = c
            .start(
                c.app(&[("orders", &orders)], &settings)
                    .sink("orders", handler),
            )
            .await?;
        c.send(&orders, &["a"]).await?;
        let binding = service.orders()?;
        c.until("it is discarded", || async {
            Ok(binding.metrics().discarded.get() == 1)
        })
        .await?;
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["a#1", "a#2"], "the calls");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn an_exhausted_message_may_stop_its_binding() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let handler = Calls::new(&c).handler(|_, _| Err::<(), _>(broken()));
        let settings = format!("{TWO}exhausted = 'stop'");
        let service = c
            .start(
                c.app(&[("orders", &orders)], &settings)
                    .sink("orders", handler),
            )
            .await?;
        c.send(&orders, &["a"]).await?;
        let (binding, failed) = (service.orders()?, |state: &_| {
            matches!(state, BindingState::Failed(_))
        });
        let state = c
            .within("the end of the binding", binding.wait_for(failed))
            .await?;
        ensure!(
            state.to_string().contains("out of paper"),
            "the reason is not shown: {state}"
        );
        service.stop().await?;
        ensure_eq!(c.left(&orders).await?, ["a"], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn an_exhausted_message_may_be_given_back() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let seen = calls.clone();
        let handler = calls.handler(move |_, _| {
            if seen.texts().len() < 3 {
                Err(broken())
            } else {
                Ok(())
            }
        });
        let settings =
            "retry = { attempts = 2, initial = '1ms', max = '50ms' }\nexhausted = 'requeue'";
        let service = c
            .start(
                c.app(&[("orders", &orders)], settings)
                    .sink("orders", handler),
            )
            .await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(3).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["a", "a", "a"], "the calls");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn a_failed_dead_letter_keeps_its_source() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let refused = c.dead_letters(&orders);
        for _ in 0..1_000 {
            c.order(Fault::RefusePublish, &refused).await?;
        }
        let calls = Calls::new(&c);
        let handler = calls.handler(|_, _| Err::<(), _>(Failure::dead_letter("no")));
        let app = || c.app(&[("orders", &orders)], "").sink("orders", handler);
        let service = c.start(app()).await?;
        c.send(&orders, &["a"]).await?;
        let binding = service.orders()?;
        c.until("the dead letter was refused", || async {
            Ok(binding.problem().is_some())
        })
        .await?;
        ensure_eq!(
            binding.metrics().dead_letters.get(),
            0,
            "dead letters that were counted"
        );
        drop(service);
        ensure_eq!(
            c.reader(&orders, "shop").await?.texts(1).await?,
            ["a"],
            "what came again after a crash"
        );
        Ok(())
    })
    .fault(Fault::RefusePublish)
}

pub(crate) fn a_dead_letter_is_published_when_that_is_possible_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let refused = c.dead_letters(&orders);
        c.order(Fault::RefusePublish, &refused).await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|_, _| Err::<(), _>(Failure::dead_letter("no")));
        let service = c
            .start(c.app(&[("orders", &orders)], "").sink("orders", handler))
            .await?;
        c.send(&orders, &["a"]).await?;
        let letter = letters(&c, &orders, 1).await?.remove(0);
        service.stop().await?;
        ensure_eq!(
            (letter.as_bytes(), calls.texts().len()),
            (&b"a"[..], 1),
            "payload and calls"
        );
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .fault(Fault::RefusePublish)
}

pub(crate) fn a_dead_letter_that_is_sent_back_is_handled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let seen = calls.clone();
        let handler = calls.handler(move |_, _| {
            if seen.texts().len() < 3 {
                Err(broken())
            } else {
                Ok(())
            }
        });
        let service = c
            .start(c.app(&[("orders", &orders)], TWO).sink("orders", handler))
            .await?;
        c.send(&orders, &["a"]).await?;
        let letter = letters(&c, &orders, 1).await?.remove(0);
        let origin = letter
            .as_headers()
            .text(names::ORIGINAL_DESTINATION)
            .unwrap_or_default()
            .to_owned();
        c.publish(&origin, &[letter.destination(&*origin)]).await?;
        calls.reach(3).await?;
        service.stop().await?;
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}
