//! A service on the binder: how many handlers run, in which order, and for whom.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use mq_core::{extract::Text, outcome::Failure};

use super::prelude::*;

pub(crate) fn every_message_is_handled_once() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 3).await?;
        let calls = Calls::new(&c);
        let app = c.app(&[("orders", &orders)], "concurrency = 8\nordering = 'none'");
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        c.publish(&orders, &spread(&numbered(0..200))).await?;
        calls.reach(200).await?;
        service.stop().await?;
        let mut found = calls.texts();
        found.sort();
        ensure_eq!(found, numbered(0..200), "the calls");
        Ok(())
    })
}

pub(crate) fn no_more_handlers_run_than_were_allowed() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 3).await?;
        let (calls, now, most) = (
            Calls::new(&c),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (seen, running, peak) = (calls.clone(), now, most.clone());
        let handler = move |Text(text): Text| {
            let (seen, running, peak) = (seen.clone(), running.clone(), peak.clone());
            async move {
                peak.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
                running.fetch_sub(1, SeqCst);
                seen.note(text, 1);
            }
        };
        let app = c.app(&[("orders", &orders)], "concurrency = 3\nordering = 'none'");
        let service = c.start(app.sink("orders", handler)).await?;
        c.publish(&orders, &spread(&numbered(0..60))).await?;
        calls.reach(60).await?;
        service.stop().await?;
        ensure!(
            most.load(SeqCst) <= 3,
            "{} handlers ran at once, 3 are allowed",
            most.load(SeqCst)
        );
        Ok(())
    })
}

/// A handler of messages `<key><number>` that takes turns with others; checks that no key runs twice at once.
async fn ordered(
    c: &Context,
    settings: &str,
    orders: &str,
) -> Checked<BTreeMap<String, Vec<String>>> {
    let calls = Calls::new(c);
    let running: Arc<std::sync::Mutex<BTreeMap<String, usize>>> = Arc::default();
    let overlaps = Arc::new(AtomicUsize::new(0));
    let (seen, keys, wrong) = (calls.clone(), running, overlaps.clone());
    let enter = move |key: &str, by: isize| {
        let mut keys = keys
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = keys.entry(key.to_owned()).or_default();
        *count = count.saturating_add_signed(by);
        wrong.fetch_max(*count, SeqCst);
    };
    let handler = move |Text(text): Text| {
        let (seen, enter) = (seen.clone(), enter.clone());
        async move {
            enter(&text[..2], 1);
            tokio::time::sleep(Duration::from_millis(u64::from(text.as_bytes()[4] % 3))).await;
            enter(&text[..2], -1);
            seen.note(text, 1);
        }
    };
    let service = c
        .start(
            c.app(&[("orders", orders)], settings)
                .sink("orders", handler),
        )
        .await?;
    let messages = numbered(0..120).into_iter().enumerate();
    let messages: Vec<_> = messages
        .map(|(at, text)| (format!("k{}", at % 10), text))
        .map(|(key, text)| keyed(&key, &format!("{key}{text}")))
        .collect();
    c.publish(orders, &messages).await?;
    calls.reach(120).await?;
    service.stop().await?;
    ensure!(
        overlaps.load(SeqCst) <= 1,
        "{} messages of one key were handled at once",
        overlaps.load(SeqCst)
    );
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in calls.texts() {
        by_key.entry(text[..2].to_owned()).or_default().push(text);
    }
    Ok(by_key)
}

pub(crate) fn a_key_keeps_its_order_with_many_handlers() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 3).await?;
        for (key, found) in ordered(&c, "concurrency = 8\nordering = 'key'", &orders).await? {
            ensure!(
                found.len() == 12 && found.is_sorted(),
                "the calls of {key}: {found:?}"
            );
        }
        Ok(())
    })
    .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
}

pub(crate) fn a_partition_keeps_its_order_with_many_handlers() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 3).await?;
        for (key, found) in ordered(&c, "concurrency = 8\nordering = 'partition'", &orders).await? {
            ensure!(
                found.len() == 12 && found.is_sorted(),
                "the calls of {key}: {found:?}"
            );
        }
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn services_of_one_name_share_the_work() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 4).await?;
        let calls = Calls::new(&c);
        let first = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        let second = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        for round in 0..5 {
            c.publish(&orders, &spread(&numbered(round * 20..round * 20 + 20)))
                .await?;
        }
        calls.reach(100).await?;
        first.stop().await?;
        second.stop().await?;
        let mut found = calls.texts();
        found.sort();
        found.dedup();
        ensure_eq!(found, numbered(0..100), "what was handled");
        Ok(())
    })
    .deadline(Duration::from_secs(90))
}

pub(crate) fn services_of_different_names_get_everything() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (shop, store) = (Calls::new(&c), Calls::new(&c));
        let other = c
            .app(&[("orders", &orders)], "")
            .set("app.name", c.name("store"));
        let first = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", shop.succeed()),
            )
            .await?;
        let second = c.start(other.sink("orders", store.succeed())).await?;
        c.send(&orders, &["a", "b"]).await?;
        for calls in [&shop, &store] {
            calls.reach(2).await?;
        }
        first.stop().await?;
        second.stop().await?;
        ensure_eq!(
            (shop.texts().len(), store.texts().len()),
            (2, 2),
            "calls of both"
        );
        Ok(())
    })
}

pub(crate) fn an_anonymous_service_gets_a_copy() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (named, anonymous) = (Calls::new(&c), Calls::new(&c));
        let other = c
            .app(&[("orders", &orders)], "")
            .set("bindings.orders.group", "none");
        let first = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", named.succeed()),
            )
            .await?;
        let second = c.start(other.sink("orders", anonymous.succeed())).await?;
        c.send(&orders, &["a"]).await?;
        named.reach(1).await?;
        anonymous.reach(1).await?;
        first.stop().await?;
        second.stop().await.map(drop)
    })
    .needs(Capability::AnonymousGroups)
}

pub(crate) fn several_destinations_feed_one_listener() -> Case {
    Case::new(|c| async move {
        let (orders, refunds) = (c.ordered("orders").await?, c.ordered("refunds").await?);
        let calls = Calls::new(&c);
        let app = c.app(&[], "").set(
            "bindings.orders.destination",
            [orders.clone(), refunds.clone()],
        );
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        c.send(&orders, &["o"]).await?;
        c.send(&refunds, &["r"]).await?;
        calls.reach(2).await?;
        service.stop().await?;
        for destination in [&orders, &refunds] {
            ensure_eq!(
                c.left(destination).await?,
                [""; 0],
                "what is left of `{destination}`"
            );
        }
        Ok(())
    })
}

pub(crate) fn the_broker_filters_for_a_listener() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let app = c
            .app(&[("orders", &orders)], "")
            .set("bindings.orders.consumer.filter", c.subject().refunds());
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        c.publish(&orders, &[plain("a"), plain("b").header("type", "refund")])
            .await?;
        calls.reach(1).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["b"], "what was handled");
        Ok(())
    })
    .needs(Capability::Filter)
}

pub(crate) fn counters_tell_what_has_happened() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.dead_letters(&orders);
        let calls = Calls::new(&c);
        let handler = calls.handler(|text, attempt| match (text, attempt) {
            ("dead", _) => Err(Failure::dead_letter("no")),
            ("gone", _) => Err(Failure::discard("no")),
            ("slow", 1) => Err(Failure::retry("not yet")),
            _ => Ok(()),
        });
        let app = c.app(
            &[("orders", &orders)],
            "retry = { attempts = 2, initial = '1ms' }",
        );
        let service = c.start(app.sink("orders", handler)).await?;
        c.send(&orders, &["good", "slow", "dead", "gone"]).await?;
        let binding = service.orders()?;
        c.until("everything is counted", || async {
            let found = binding.metrics().snapshot();
            Ok((
                found.received,
                found.handled,
                found.failed,
                found.retries,
                found.dead_letters,
                found.discarded,
            ) == (4, 2, 3, 1, 1, 1))
        })
        .await?;
        service.stop().await.map(drop)
    })
}

pub(crate) fn keys_keep_their_order_though_handlers_fail() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 3).await?;
        let (calls, done) = (Calls::new(&c), Calls::new(&c));
        let finished = done.clone();
        let handler = calls.handler(move |text, attempt| {
            // Some need one more call, some two; one of thirteen panics first.
            let number: u32 = text[2..].parse().unwrap_or_default();
            assert!(number % 13 != 5 || attempt > 1, "this panic belongs to the case");
            if attempt <= number % 3 {
                return Err(Failure::retry("not yet"));
            }
            finished.note(text, attempt);
            Ok(())
        });
        let settings = "concurrency = 8\nordering = 'key'\nretry = { attempts = 4, initial = '2ms', max = '2ms' }";
        let service = c.start(c.app(&[("orders", &orders)], settings).sink("orders", handler)).await?;
        let messages = (0..120_u32).map(|one| (format!("k{}", one % 10), one));
        let messages: Vec<_> = messages.map(|(key, one)| keyed(&key, &format!("{key}{one:03}"))).collect();
        c.publish(&orders, &messages).await?;
        done.reach(120).await?;
        service.stop().await?;
        for key in 0..10 {
            let of_key = |text: &String| text.starts_with(&format!("k{key}"));
            let found: Vec<_> = done.texts().into_iter().filter(of_key).collect();
            ensure!(found.len() == 12 && found.is_sorted(), "the effects of k{key}: {found:?}");
        }
        Ok(())
    })
    .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
}
