//! A run on the memory binder: services and broker in this process, and faults from within.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mq::binder::{Capability, RetryState};
use mq::binding::Command;
use mq::clock::Clock;
use mq::error::Result;
use mq::idempotency::MemoryIdempotencyStore;
use mq::memory::{Limit, MemoryBinder, Refusal};

use super::dice::Dice;
use super::fleet::Fleet;
use super::options::{Guarantee, Options};
use super::plan::Plan;
use super::progress::Progress;
use super::services::{Role, Shared};
use super::settings::Wiring;
use super::source::Resumption;

/// The destinations, dead letters included.
const DESTINATIONS: [&str; 4] = [
    "chaos.work",
    "chaos.done",
    "chaos.work.chaos.dlq",
    "chaos.done.chaos.dlq",
];

/// What can go wrong. Each is drawn as often as any other.
#[derive(Debug, Clone, Copy)]
enum Fault {
    CutConnection,
    LoseLanes,
    RefusePublishes,
    WithholdConfirms,
    FailSettles,
    RepeatDeliveries,
    SlowCalls,
    Crash,
    Leave,
    Join,
    Pause,
    StopBinding,
    OtherConcurrency,
    BurstOfFailures,
}

const FAULTS: [Fault; 14] = [
    Fault::CutConnection,
    Fault::LoseLanes,
    Fault::RefusePublishes,
    Fault::WithholdConfirms,
    Fault::FailSettles,
    Fault::RepeatDeliveries,
    Fault::SlowCalls,
    Fault::Crash,
    Fault::Leave,
    Fault::Join,
    Fault::Pause,
    Fault::StopBinding,
    Fault::OtherConcurrency,
    Fault::BurstOfFailures,
];

/// Runs it; the logs tell what came of it.
pub(super) async fn run(options: &Options, folder: &Path) -> Result<()> {
    let mut dice = Dice::of(options.seed, 1);
    let (binder, wiring) = broker(options.guarantee, &mut dice)?;
    let mut fleet = Fleet::new(&binder, shared(options), wiring, folder);
    let progress = Progress::new(folder, options.messages);
    let result = go(options, &mut fleet, &progress, &mut dice).await;
    result.map_err(|error| error.context("bindings", fleet.describe()))
}

async fn go(
    options: &Options,
    fleet: &mut Fleet,
    progress: &Progress,
    dice: &mut Dice,
) -> Result<()> {
    fleet.complete().await?;
    let mut done = 0;
    while done < options.faults {
        // Some come together.
        let together = (1 + dice.roll(3)).min(options.faults - done);
        progress
            .reaches(done + 1, options.faults + together)
            .await?;
        for _ in 0..together {
            let fault = dice.pick(&FAULTS);
            tracing::info!(?fault, number = done, "chaos");
            begin(fault, fleet, dice).await;
            done += 1;
        }
        progress.patiently(end(fleet, dice)).await?;
    }
    fleet.finish(progress).await
}

/// A broker that is like one kind or another.
fn broker(guarantee: Guarantee, dice: &mut Dice) -> Result<(MemoryBinder, Wiring)> {
    let (partitions, kind) = (dice.pick(&[1, 3, 8]), dice.roll(4));
    // What is not read yet keeps its sender waiting: so memory is bounded.
    let builder = MemoryBinder::builder()
        .partitions(partitions)
        .retain(100)
        .limit(Limit::new(20_000, 64 << 20));
    let builder = match kind {
        0 => builder.positional().retry_state(RetryState::Bounded(4096)),
        1 => builder.positional().retry_state(RetryState::None),
        2 => builder.without(&[Capability::DelayedRedelivery]),
        _ => builder,
    };
    // Where nothing is recorded above a committed position, a transaction can only hold what comes in order.
    let records_nothing = kind == 1 && guarantee == Guarantee::ExactlyOnce;
    let wiring = Wiring {
        ordering: if records_nothing { "partition" } else { "key" }.to_owned(),
        binder: String::new(),
        known_by: dice.pick(&["id", "header:chaos-name"]).to_owned(),
        partitions,
        batch: dice.pick(&[0, 0, 0, 7, 100]),
        concurrency: dice.pick(&[2, 8, 32]),
    };
    tracing::info!(kind, ?wiring, "the broker");
    Ok((builder.build()?, wiring))
}

fn shared(options: &Options) -> Shared {
    let plan = Arc::new(Plan::new(options));
    let seen = || Arc::new(MemoryIdempotencyStore::new(Clock::system())) as _;
    Shared {
        lanes: Resumption::new(&plan).lanes(),
        ledger: Arc::default(),
        positions: Arc::default(),
        seen: (plan.guarantee == Guarantee::Idempotent).then(seen),
        burst: Arc::default(),
        plan,
    }
}

async fn begin(fault: Fault, fleet: &mut Fleet, dice: &mut Dice) {
    let (faults, role) = (fleet.binder().faults(), dice.pick(&Role::ALL));
    let times = 1 + dice.roll(20) as usize;
    match fault {
        Fault::CutConnection => faults.lose_connection(),
        Fault::LoseLanes => faults.lose_lanes(dice.pick(&DESTINATIONS)),
        Fault::RefusePublishes => {
            faults.refuse_publish(dice.pick(&DESTINATIONS), times, Refusal::Temporary);
        }
        Fault::WithholdConfirms => faults.withhold_confirm(times),
        Fault::FailSettles => faults.fail_settle(times),
        Fault::RepeatDeliveries => faults.duplicate_delivery(times * 10),
        Fault::SlowCalls => faults.slow(Duration::from_millis(1 + dice.roll(5))),
        Fault::Crash => fleet.crash(role, dice),
        Fault::Leave => fleet.leave(role, dice).await,
        Fault::Join => fleet.invite(role),
        Fault::Pause => fleet.command(role, Command::Pause, dice).await,
        Fault::StopBinding => fleet.command(role, Command::Stop, dice).await,
        Fault::OtherConcurrency => {
            let command = Command::Concurrency(1 + dice.roll(16) as usize);
            fleet.command(role, command, dice).await;
        }
        Fault::BurstOfFailures => fleet.shared().burst.store(true, Relaxed),
    }
}

/// Lets the faults last, and then ends them. What is missing is started again, partly while they last.
async fn end(fleet: &mut Fleet, dice: &mut Dice) -> Result<()> {
    let (lasts, longer) = (millis(dice, 60), millis(dice, 40));
    tokio::time::sleep(lasts).await;
    let faults = fleet.binder().faults();
    let restore = async {
        tokio::time::sleep(longer).await;
        faults.restore();
    };
    let (completed, ()) = tokio::join!(fleet.complete(), restore);
    completed?;
    fleet.shared().burst.store(false, Relaxed);
    fleet.go_on().await;
    Ok(())
}

fn millis(dice: &mut Dice, most: u64) -> Duration {
    Duration::from_millis(dice.roll(most))
}
