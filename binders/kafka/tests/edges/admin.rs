//! Looking after topics and groups.

use std::{collections::BTreeMap, time::Duration};

use mq_core::{
    binder::{Admin, Binder, Browsed, ConsumerSpec, Cursor, DestinationPlan, Event},
    error::ErrorKind,
    message::Message,
    policy::Provision,
};
use mq_kafka::{GroupProtocol, KafkaBinder, Scalar};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};

use crate::place::{connect, name, publish, server, settings, topic, until};

async fn browse(admin: &dyn Admin, topic: &str, page: usize) -> Vec<Browsed> {
    let (mut cursor, mut found) = (Cursor::default(), Vec::new());
    loop {
        let more = admin
            .browse(topic, &mut cursor, page)
            .await
            .expect("a page");
        if more.is_empty() {
            return found;
        }
        assert!(more.len() <= page);
        found.extend(more);
    }
}

fn numbered(partitions: u32, each: u32) -> Vec<Message> {
    let one = |n: u32| {
        Message::new(n.to_string())
            .key(format!("k{n}"))
            .partition(n % partitions)
    };
    (0..partitions * each).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_over_all_partitions_and_show_everything_once() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let topic = topic(&binder, "browsed", 3).await;
    publish(&binder, &topic, &numbered(3, 40)).await;
    let found = browse(binder.admin(), &topic, 7).await;
    let mut by_place = BTreeMap::new();
    for one in &found {
        let number: u32 = std::str::from_utf8(one.message.as_bytes())
            .expect("text")
            .parse()
            .expect("a number");
        assert_eq!(
            (one.partition, one.position),
            (number % 3, u64::from(number / 3))
        );
        assert!(one.message.as_key().is_some() && one.message.as_timestamp().is_some());
        *by_place.entry((one.partition, one.position)).or_insert(0) += 1;
    }
    assert_eq!(by_place.len(), 120);
    assert!(by_place.values().all(|times| *times == 1));
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_survive_the_instance_that_made_them() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let topic = topic(&binder, "marked", 2).await;
    publish(&binder, &topic, &numbered(2, 6)).await;
    let marks = [(0, 3), (0, 0), (1, 5), (1, 4), (0, 1)];
    for (partition, position) in marks {
        binder
            .admin()
            .mark_handled(&topic, partition, position)
            .await
            .expect("marked");
    }
    let nowhere = binder
        .admin()
        .mark_handled(&topic, 0, 6)
        .await
        .expect_err("there is no such message");
    assert_eq!(nowhere.kind(), ErrorKind::NotFound);
    binder.close().await.expect("closed");
    let binder = connect(settings(server)).await;
    let found = browse(binder.admin(), &topic, 5).await;
    let mut handled: Vec<_> = found
        .iter()
        .filter(|one| one.handled)
        .map(|one| (one.partition, one.position))
        .collect();
    handled.sort_unstable();
    assert_eq!(handled, [(0, 0), (0, 1), (0, 3), (1, 4), (1, 5)]);
    let groups = binder.admin().groups(&topic).await.expect("groups");
    assert!(
        groups.is_empty(),
        "the group of the marks is not shown: {groups:?}"
    );
    binder.close().await.expect("closed");
}

/// Writes transactions of one message each, the last of them aborted.
fn transact(servers: &str, topic: &str, count: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("transactional.id", topic)
        .create()
        .expect("a producer");
    let patience = Duration::from_secs(10);
    producer.init_transactions(patience).expect("an id");
    for number in 0..=count {
        producer.begin_transaction().expect("begun");
        let record: BaseRecord<'_, [u8], str> = BaseRecord::to(topic).payload("x");
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("sent");
        producer.flush(patience).expect("flushed");
        let ended = if number < count {
            producer.commit_transaction(patience)
        } else {
            producer.abort_transaction(patience)
        };
        ended.expect("ended");
    }
}

fn commit(servers: &str, topic: &str, group: &str, offset: i64) {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", group)
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("an offset");
    client.commit(&list, CommitMode::Sync).expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn markers_of_transactions_are_neither_lag_nor_messages() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let (topic, group) = (topic(&binder, "transacted", 1).await, name("behind"));
    let (servers, own) = (server.addr(), topic.clone());
    tokio::task::spawn_blocking(move || transact(&servers, &own, 5))
        .await
        .expect("written");
    assert_eq!(browse(binder.admin(), &topic, 3).await.len(), 5);
    // After each message comes a marker, and at the end one aborted message with its marker.
    for (committed, behind) in [(0, 5), (1, 4), (8, 1), (9, 0), (12, 0)] {
        let (servers, topic, group) = (server.addr(), topic.clone(), group.clone());
        let own = (topic.clone(), group.clone());
        tokio::task::spawn_blocking(move || commit(&servers, &topic, &group, committed))
            .await
            .expect("committed");
        let lag = binder.admin().lag(&own.0, &own.1).await.expect("a lag");
        assert_eq!(
            (lag.messages, lag.oldest.is_some()),
            (behind, behind > 0),
            "at {committed}"
        );
    }
    binder.close().await.expect("closed");
}

async fn member(
    binder: &KafkaBinder,
    topic: &str,
    group: &str,
) -> Box<dyn mq_core::binder::Consumer> {
    let consumer = binder
        .consumer(&ConsumerSpec::new(topic, Some(group)))
        .await;
    let mut consumer = consumer.expect("a consumer");
    let mut records = Vec::new();
    loop {
        if let Event::Assigned(lanes) = consumer.receive(&mut records, 1).await.expect("an event")
            && !lanes.is_empty()
        {
            return consumer;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_both_protocols_are_listed_with_what_is_known_of_them() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let mut newer = settings(server);
    newer.group_protocol = GroupProtocol::Consumer;
    let newer = connect(newer).await;
    let topic = topic(&binder, "grouped", 2).await;
    let (classic, modern, idle) = (name("a-classic"), name("b-modern"), name("c-idle"));
    let plan = [DestinationPlan::new(topic.as_str()).group(idle.as_str())];
    binder
        .provision(&plan, Provision::Create)
        .await
        .expect("founded");
    let first = member(&binder, &topic, &classic).await;
    let second = member(&newer, &topic, &modern).await;
    let admin = binder.admin();
    until("three groups", async || {
        let groups = admin.groups(&topic).await.expect("groups");
        let found: Vec<_> = groups.iter().map(|one| (&*one.name, one.members)).collect();
        // The client library cannot ask for the members of the newer protocol's groups.
        let known = [(&*classic, Some(1)), (&*modern, None), (&*idle, Some(0))];
        found == known
    })
    .await;
    first.close().await.expect("closed");
    second.close().await.expect("closed");
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_groups_of_other_topics_are_looked_through() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let (topic, other) = (
        topic(&binder, "asked", 1).await,
        topic(&binder, "other", 1).await,
    );
    let mut plan = DestinationPlan::new(other.as_str());
    for number in 0..100 {
        plan = plan.group(name(&format!("many-{number}")));
    }
    let own = name("own");
    let plans = [
        plan,
        DestinationPlan::new(topic.as_str()).group(own.as_str()),
    ];
    binder
        .provision(&plans, Provision::Create)
        .await
        .expect("founded");
    let groups = binder.admin().groups(&topic).await.expect("groups");
    let found: Vec<_> = groups.iter().map(|one| &*one.name).collect();
    assert_eq!(found, [own]);
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_counts_what_is_kept_and_purging_empties_it() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let topic = topic(&binder, "counted", 2).await;
    publish(&binder, &topic, &numbered(2, 4)).await;
    let kept = async || {
        let listed = binder.admin().destinations().await.expect("a list");
        let own = listed
            .iter()
            .find(|one| *one.name == *topic)
            .expect("listed");
        own.messages
    };
    assert_eq!(kept().await, Some(8));
    assert_eq!(binder.admin().purge(&topic).await.expect("purged"), 8);
    assert_eq!(kept().await, Some(0));
    assert!(browse(binder.admin(), &topic, 10).await.is_empty());
    binder.admin().delete(&topic).await.expect("deleted");
    let gone = binder.admin().purge(&topic).await.expect_err("it is gone");
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_says_why_it_is_not_purged() {
    let Some(server) = server().await else { return };
    let mut settings = settings(server);
    settings.topic.insert(
        "cleanup.policy".to_owned(),
        Scalar::Text("compact".to_owned()),
    );
    let binder = connect(settings).await;
    let topic = topic(&binder, "compacted", 1).await;
    publish(&binder, &topic, &[Message::new("x").key("k")]).await;
    let error = binder
        .admin()
        .purge(&topic)
        .await
        .expect_err("it cannot be");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("cleanup.policy"), "{error}");
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_counted() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let topic = topic(&binder, "membered", 2).await;
    let group = name("pair");
    let first = member(&binder, &topic, &group).await;
    let second = member(&binder, &topic, &group).await;
    let closed = name("closed");
    member(&binder, &topic, &closed)
        .await
        .close()
        .await
        .expect("closed");
    until("both are there", async || {
        let groups = binder.admin().groups(&topic).await.expect("groups");
        let found: Vec<_> = groups.iter().map(|one| (&*one.name, one.members)).collect();
        found == [(closed.as_str(), Some(0)), (group.as_str(), Some(2))]
    })
    .await;
    drop((first, second));
    binder.close().await.expect("closed");
}
