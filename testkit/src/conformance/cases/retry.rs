//! A service on the binder: handlers that fail, and what becomes of their messages.

use mq_core::{message::names, outcome::Failure};

use super::{
    giving_up::{TWO, broken, give_up},
    prelude::*,
};

pub(crate) fn a_failed_message_is_tried_again_and_then_handled() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|_, attempt| if attempt < 3 { Err(broken()) } else { Ok(()) });
        let app = c.app(
            &[("orders", &orders)],
            "retry = { attempts = 3, initial = '1ms' }",
        );
        let service = c.start(app.sink("orders", handler)).await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(3).await?;
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["a#1", "a#2", "a#3"], "the calls");
        Ok(())
    })
}

pub(crate) fn one_attempt_is_one_call() -> Case {
    Case::new(|c| async move {
        let (_, calls) = give_up(&c, "retry = { attempts = 1 }", broken).await?;
        ensure_eq!(calls, ["a#1"], "the calls");
        Ok(())
    })
}

pub(crate) fn five_attempts_are_five_calls() -> Case {
    Case::new(|c| async move {
        let settings = "retry = { attempts = 5, initial = '1ms', max = '1ms' }";
        let (letter, calls) = give_up(&c, settings, broken).await?;
        ensure_eq!(calls, ["a#1", "a#2", "a#3", "a#4", "a#5"], "the calls");
        ensure_eq!(
            letter.as_headers().text(names::ATTEMPT),
            Some("5"),
            "attempts on the dead letter"
        );
        Ok(())
    })
}

pub(crate) fn a_panic_is_a_failure() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let handler =
            calls.handler(|_, attempt| assert!(attempt > 1, "this panic belongs to the case"));
        let service = c
            .start(c.app(&[("orders", &orders)], TWO).sink("orders", handler))
            .await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(2).await?;
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["a#1", "a#2"], "the calls");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn a_call_that_takes_too_long_is_a_failure() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        calls.hold();
        let settings = format!("{TWO}timeout = '100ms'");
        let app = c.app(&[("orders", &orders)], &settings);
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(2).await?;
        calls.free();
        service.stop().await?;
        ensure_eq!(calls.attempts()[..2], ["a#1", "a#2"], "the first calls");
        Ok(())
    })
}

pub(crate) fn others_go_on_while_one_waits_for_its_retry() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|text, _| if text == "k1" { Err(broken()) } else { Ok(()) });
        let settings = "retry = { attempts = 2, initial = '10m', max = '10m', jitter = false }";
        let service = c
            .start(
                c.app(&[("orders", &orders)], settings)
                    .sink("orders", handler),
            )
            .await?;
        c.publish(&orders, &[keyed("k", "k1"), keyed("j", "j1")])
            .await?;
        calls.reach(2).await?;
        let binding = service.orders()?;
        c.until("one waits", || async { Ok(binding.waiting() == 1) })
            .await?;
        c.publish(&orders, &[keyed("i", "i1")]).await?;
        calls.reach(3).await?;
        service.stop().await?;
        let mut found = calls.attempts();
        found.sort();
        ensure_eq!(found, ["i1#1", "j1#1", "k1#1"], "the calls");
        Ok(())
    })
}

pub(crate) fn a_key_waits_for_its_retry() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|text, attempt| {
            if (text, attempt) == ("k1", 1) {
                Err(broken())
            } else {
                Ok(())
            }
        });
        let app = c.app(
            &[("orders", &orders)],
            "retry = { attempts = 2, initial = '100ms', jitter = false }",
        );
        let service = c.start(app.sink("orders", handler)).await?;
        c.publish(&orders, &[keyed("k", "k1"), keyed("k", "k2")])
            .await?;
        calls.reach(3).await?;
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["k1#1", "k1#2", "k2#1"], "the calls");
        Ok(())
    })
    .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
}

/// One call in place and one after a delay.
async fn delayed(c: &Context, ordering: &str) -> Checked {
    let orders = c.ordered("orders").await?;
    let calls = Calls::new(c);
    let handler = calls.handler(|text, attempt| {
        if (text, attempt) == ("k1", 1) {
            Err(broken())
        } else {
            Ok(())
        }
    });
    let settings =
        format!("ordering = '{ordering}'\nretry = {{ attempts = 1, delayed = ['200ms'] }}");
    let service = c
        .start(
            c.app(&[("orders", &orders)], &settings)
                .sink("orders", handler),
        )
        .await?;
    c.publish(&orders, &[keyed("k", "k1"), keyed("j", "j1")])
        .await?;
    calls.reach(3).await?;
    service.stop().await?;
    let mut found = calls.attempts();
    found.sort();
    ensure_eq!(found, ["j1#1", "k1#1", "k1#2"], "the calls");
    let all = calls.all().into_iter();
    let of_key: Vec<_> = all
        .filter(|call| call.text == "k1")
        .map(|call| call.at)
        .collect();
    let waited = of_key[1] - of_key[0];
    ensure!(
        waited >= Duration::from_millis(199),
        "it was early: after {waited:?}"
    );
    Ok(())
}

pub(crate) fn a_delayed_attempt_is_not_early_where_order_is_kept() -> Case {
    Case::new(|c| async move { delayed(&c, "key").await })
        .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
}

pub(crate) fn a_delayed_attempt_is_not_early_where_no_order_is_kept() -> Case {
    Case::new(|c| async move { delayed(&c, "none").await })
}

pub(crate) fn a_key_keeps_its_order_through_a_delayed_attempt() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|text, attempt| {
            if (text, attempt) == ("k1", 1) {
                Err(broken())
            } else {
                Ok(())
            }
        });
        let settings = "ordering = 'key'\nretry = { attempts = 1, delayed = ['150ms'] }";
        let service = c
            .start(
                c.app(&[("orders", &orders)], settings)
                    .sink("orders", handler),
            )
            .await?;
        c.publish(
            &orders,
            &[keyed("k", "k1"), keyed("k", "k2"), keyed("j", "j1")],
        )
        .await?;
        calls.reach(4).await?;
        service.stop().await?;
        let of_key: Vec<_> = calls
            .attempts()
            .into_iter()
            .filter(|call| call.starts_with('k'))
            .collect();
        ensure_eq!(of_key, ["k1#1", "k1#2", "k2#1"], "the calls of the key");
        Ok(())
    })
    .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
}

pub(crate) fn a_handler_chooses_its_own_delay() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let delay = Duration::from_millis(200);
        let handler = calls.handler(move |_, attempt| match attempt {
            1 => Err(Failure::retry_after(delay, "not yet")),
            _ => Ok(()),
        });
        let service = c
            .start(c.app(&[("orders", &orders)], TWO).sink("orders", handler))
            .await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(2).await?;
        service.stop().await?;
        let all = calls.all();
        ensure!(
            all[1].at - all[0].at >= delay,
            "it was early: after {:?}",
            all[1].at - all[0].at
        );
        Ok(())
    })
}

pub(crate) fn attempts_are_counted_through_a_restart_of_the_service() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let handler =
            || calls.handler(|_, attempt| if attempt < 3 { Err(broken()) } else { Ok(()) });
        let app = || {
            c.app(
                &[("orders", &orders)],
                "ordering = 'key'\nretry = { attempts = 2, initial = '1ms', delayed = ['300ms'] }",
            )
        };
        let service = c.start(app().sink("orders", handler())).await?;
        c.publish(&orders, &[keyed("k", "a")]).await?;
        calls.reach(2).await?;
        let binding = service.orders()?;
        c.until("the delay is recorded", || async {
            Ok(binding.metrics().delayed.get() == 1)
        })
        .await?;
        service.stop().await?;
        let service = c.start(app().sink("orders", handler())).await?;
        calls.reach(3).await?;
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["a#1", "a#2", "a#3"], "the calls");
        Ok(())
    })
    .need(Need::RecordsAttempts)
    .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
}
