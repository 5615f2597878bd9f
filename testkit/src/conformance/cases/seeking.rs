//! Reading again, or not at all.

use mq_core::binder::ReplayFrom;

use super::prelude::*;

/// Three messages that the group has settled; nobody reads them.
async fn settled(c: &Context) -> Checked<String> {
    let orders = c.ordered("orders").await?;
    c.send(&orders, &["a", "b", "c"]).await?;
    let mut reader = c.reader(&orders, "billing").await?;
    reader.texts(3).await?;
    reader.close().await?;
    Ok(orders)
}

/// Moves the group.
async fn seek(c: &Context, orders: &str, from: ReplayFrom) -> Checked {
    Ok(c.binder()
        .admin()
        .seek(orders, &c.name("billing"), from)
        .await?)
}

pub(crate) fn a_group_reads_again_from_the_earliest() -> Case {
    Case::new(|c| async move {
        let orders = settled(&c).await?;
        seek(&c, &orders, ReplayFrom::Earliest).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(3).await?,
            ["a", "b", "c"],
            "what came again"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn a_group_is_moved_to_the_end() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        c.send(&orders, &["a", "b"]).await?;
        seek(&c, &orders, ReplayFrom::Latest).await?;
        c.send(&orders, &["new"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["new"],
            "what came first"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn a_group_is_moved_to_a_position() -> Case {
    Case::new(|c| async move {
        let orders = settled(&c).await?;
        let second = c.reader(&orders, "other").await?.take(2).await?.remove(1);
        seek(&c, &orders, ReplayFrom::Position(second.position)).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(2).await?,
            ["b", "c"],
            "what came again"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn a_group_is_moved_to_a_time() -> Case {
    Case::new(|c| async move {
        let orders = settled(&c).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let time = SystemTime::now();
        tokio::time::sleep(Duration::from_millis(20)).await;
        c.send(&orders, &["d"]).await?;
        seek(&c, &orders, ReplayFrom::Time(time)).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["d"],
            "the first message since then"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn moving_one_group_leaves_the_others() -> Case {
    Case::new(|c| async move {
        let orders = settled(&c).await?;
        let mut other = c.reader(&orders, "other").await?;
        other.texts(3).await?;
        other.close().await?;
        seek(&c, &orders, ReplayFrom::Earliest).await?;
        c.send(&orders, &["d"]).await?;
        ensure_eq!(
            c.reader(&orders, "other").await?.texts(1).await?,
            ["d"],
            "what the other group got"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn a_consumer_moves_its_lane() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(3).await?;
        reader.done(&records).await?;
        let second = &records[1];
        reader.consumer.seek(second.lane, second.position).await?;
        ensure_eq!(reader.texts(2).await?, ["b", "c"], "what came again");
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn what_was_delivered_before_a_move_can_be_settled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let first = reader.next().await?;
        reader.consumer.seek(first.lane, first.position + 1).await?;
        reader.done(&[first]).await?;
        ensure_eq!(reader.texts(1).await?, ["b"], "what came after the move");
        reader.close().await?;
        c.send(&orders, &["end"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["end"],
            "what was left"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}
