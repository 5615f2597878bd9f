//! Random histories: steps, crashes and restarts, done to broker and model.

use mq_broker::storage::sim::{Disk, Seeded};

use crate::{
    step::{self, Step},
    world::{Counts, World, options, runtime},
};

/// So many by default; `MQ_HISTORIES` says another number.
const HISTORIES: u64 = 10_000;

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment how much to try"
)]
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Says which one it was when something fails.
pub(crate) struct Announce(pub(crate) &'static str, pub(crate) u64);

impl Drop for Announce {
    #[expect(clippy::print_stderr, reason = "the seed has to be seen")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay what has failed with {}={}", self.0, self.1);
        }
    }
}

async fn history(seed: u64) -> Counts {
    let _announce = Announce("MQ_SEED", seed);
    let mut chance = Seeded::new(seed);
    let mut options = options(&mut chance);
    // Every second history is slowed, by less than can be measured.
    options.slow_below = *chance.pick(&[0, 1 << 41]);
    let mut world = World::new(Disk::new(), options).expect("an empty disk");
    for destination in 0..3 {
        let create = step::create(&mut chance, destination);
        world.run(&create).await;
    }
    for _ in 0..18 + chance.below(24) {
        let some = match chance.below(40) {
            0 => step::create(&mut chance, 0),
            _ => step::any(&mut chance),
        };
        if chance.below(20) == 0 {
            world.set_clock(&mut chance);
        }
        act(&mut world, &mut chance, &some).await;
    }
    world.go_on(world.disk.image(chance.number()), true).await;
    world.recover_again();
    world.drain().await;
    world.counts
}

/// Does a step, and says so in a replay; the power may fail before it ends, or right behind it.
#[expect(clippy::print_stdout, reason = "a replay is there to be read")]
async fn act(world: &mut World, chance: &mut Seeded, step: &Step) {
    if chance.below(25) == 0 {
        world
            .disk
            .crash_at(world.disk.operations() + chance.below(6));
    }
    if chance.below(40) == 0 {
        world.go_on(world.disk.image(chance.number()), true).await;
    }
    if number("MQ_SEED").is_some() {
        println!("{step:?}");
    }
    world.run(step).await;
    if world.disk.is_crashed() || world.is_broken() {
        world.go_on(world.disk.image(chance.number()), true).await;
    }
}

impl World {
    /// Everybody gets and settles everything that is left: nothing is lost, nothing comes twice.
    pub(crate) async fn drain(&mut self) {
        let all = self.model.destinations.iter();
        let all = all.flat_map(|(name, one)| {
            one.groups
                .keys()
                .map(move |group| (name.clone(), group.clone()))
        });
        let all: Vec<_> = all.collect();
        self.consumers.clear();
        self.model.leave_all();
        for (name, group) in all {
            self.join(&name, &group, None, None).await;
            while self.receive(0, 100).await > 0 {
                let count = self.consumers[0].held.len();
                self.run(&Step::Ack(0, 0, count)).await;
            }
            self.consumers.clear();
        }
    }
}

/// Runs every history whose number leaves this rest.
fn share(seeds: std::ops::Range<u64>, rest: u64, of: u64) -> Counts {
    let (runtime, mut all) = (runtime(), Counts::default());
    for seed in seeds.filter(|seed| seed % of == rest) {
        all.add(&runtime.block_on(history(seed)));
    }
    all
}

#[test]
#[expect(clippy::print_stdout, reason = "what was compared is worth knowing")]
fn broker_and_model_agree_on_random_histories() {
    let seeds = match number("MQ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MQ_HISTORIES").unwrap_or(HISTORIES),
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let mut all = Counts::default();
    std::thread::scope(|scope| {
        let seeds = &seeds;
        let shares =
            (0..threads).map(|rest| scope.spawn(move || share(seeds.clone(), rest, threads)));
        for share in shares.collect::<Vec<_>>() {
            all.add(&share.join().expect("a history has failed, as said above"));
        }
    });
    println!("{} histories: {all:?}", seeds.end - seeds.start);
}
