//! Positions up to which a group is done, where the broker only knows those.

use bytes::Bytes;
use mq_core::binder::{AssignedLane, RetryState, SettleError, Settlement};

use super::prelude::*;

fn commit(lane: &AssignedLane, position: u64, saved: Option<Bytes>) -> Settlement {
    Settlement {
        lane: lane.id,
        position,
        epoch: lane.epoch,
        action: Action::Commit { saved },
    }
}

/// A reader that has its one lane.
async fn with_lane(c: &Context, orders: &str) -> Checked<(Reader, AssignedLane)> {
    let mut reader = c.reader(orders, "billing").await?;
    while reader.lanes.is_empty() {
        reader.event(1).await?;
    }
    let lane = reader.lanes[0].clone();
    Ok((reader, lane))
}

pub(crate) fn a_group_goes_on_at_the_committed_position() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        let (mut reader, lane) = with_lane(&c, &orders).await?;
        let records = reader.take(3).await?;
        let unsettled = reader
            .settle_all(&[commit(&lane, records[1].position, None)])
            .await?;
        ensure!(
            unsettled.is_empty(),
            "the commit did not take effect: {unsettled:?}"
        );
        reader.close().await?;
        let (mut again, lane) = with_lane(&c, &orders).await?;
        ensure_eq!(
            lane.position,
            Some(records[1].position),
            "the position of the assignment"
        );
        ensure_eq!(
            again.texts(2).await?,
            ["b", "c"],
            "what the next consumer got"
        );
        Ok(())
    })
    .need(Need::Positional)
}

pub(crate) fn a_position_can_be_committed_again_with_other_notes() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let (mut reader, lane) = with_lane(&c, &orders).await?;
        let record = reader.next().await?;
        for notes in [&b"one"[..], b"two"] {
            let saved = Some(Bytes::from_static(notes));
            let unsettled = reader
                .settle_all(&[commit(&lane, record.position, saved)])
                .await?;
            ensure!(
                unsettled.is_empty(),
                "the commit did not take effect: {unsettled:?}"
            );
        }
        reader.close().await?;
        let (mut again, lane) = with_lane(&c, &orders).await?;
        ensure_eq!(
            lane.saved.as_deref(),
            Some(&b"two"[..]),
            "what was saved beside the position"
        );
        ensure_eq!(again.texts(1).await?, ["a"], "what the next consumer got");
        Ok(())
    })
    .need(Need::Positional)
    .need(Need::RecordsAttempts)
}

pub(crate) fn what_is_saved_goes_with_a_commit_that_saves_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let (mut reader, lane) = with_lane(&c, &orders).await?;
        let records = reader.take(2).await?;
        let commits = [
            commit(
                &lane,
                records[0].position,
                Some(Bytes::from_static(&[0, 255, 7])),
            ),
            commit(&lane, records[1].position, None),
        ];
        for one in &commits {
            let unsettled = reader.settle_all(std::slice::from_ref(one)).await?;
            ensure!(
                unsettled.is_empty(),
                "the commit did not take effect: {unsettled:?}"
            );
        }
        reader.close().await?;
        ensure!(
            with_lane(&c, &orders).await?.1.saved.is_none(),
            "older notes came back"
        );
        Ok(())
    })
    .need(Need::Positional)
    .need(Need::RecordsAttempts)
}

pub(crate) fn as_much_can_be_saved_as_is_declared_and_no_more() -> Case {
    Case::new(|c| async move {
        let RetryState::Bounded(limit) = c.capabilities().retry_state else {
            return Err(Broken::skip("it does not bound what is saved beside a position"));
        };
        let orders = c.ordered("orders").await?;
        let (mut reader, lane) = with_lane(&c, &orders).await?;
        let position = lane.position.unwrap_or_default();
        let notes = |len: usize| Some(Bytes::from((0..len).map(|at| (at % 251).to_le_bytes()[0]).collect::<Vec<_>>()));
        let unsettled = reader.settle_all(&[commit(&lane, position, notes(limit))]).await?;
        ensure!(unsettled.is_empty(), "{limit} bytes are declared, but refused: {unsettled:?}");
        let unsettled = reader.settle_all(&[commit(&lane, position, notes(limit + 1))]).await?;
        let is_too_large = |error: &SettleError| matches!(error, SettleError::Failed(error) if error.kind() == ErrorKind::TooLarge);
        ensure!(unsettled.iter().any(|one| is_too_large(&one.error)), "one byte more than declared: {unsettled:?}");
        reader.close().await?;
        ensure_eq!(with_lane(&c, &orders).await?.1.saved, notes(limit), "what was saved");
        Ok(())
    })
    .need(Need::Positional)
    .need(Need::RecordsAttempts)
}

pub(crate) fn single_messages_cannot_be_settled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let (mut reader, _) = with_lane(&c, &orders).await?;
        let record = reader.next().await?;
        for action in [
            Action::Ack,
            Action::Release {
                after: Duration::ZERO,
                attempts: 1,
            },
        ] {
            match reader.settle(&record, action.clone()).await? {
                Err(SettleError::Failed(error)) if error.kind() == ErrorKind::Unsupported => {}
                other => ensure!(
                    false,
                    "{action:?} should be refused as unsupported, but: {other:?}"
                ),
            }
        }
        reader.close().await?;
        ensure_eq!(
            with_lane(&c, &orders).await?.0.texts(1).await?,
            ["a"],
            "what was left"
        );
        Ok(())
    })
    .need(Need::Positional)
}

pub(crate) fn positions_cannot_be_committed_where_messages_are_settled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let (mut reader, lane) = with_lane(&c, &orders).await?;
        let record = reader.next().await?;
        let unsettled = reader.settle_all(&[commit(&lane, record.position + 1, None)]).await?;
        let is_unsupported = |error: &SettleError| matches!(error, SettleError::Failed(error) if error.kind() == ErrorKind::Unsupported);
        ensure!(unsettled.iter().any(|one| is_unsupported(&one.error)), "a commit should be refused as unsupported: {unsettled:?}");
        reader.close().await?;
        ensure_eq!(with_lane(&c, &orders).await?.0.texts(1).await?, ["a"], "what was left");
        Ok(())
    })
    .need(Need::PerMessage)
}
