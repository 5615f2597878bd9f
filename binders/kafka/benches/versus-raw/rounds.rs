//! Rounds: each side in a process of its own, one after the other.

use std::env;

use mq_testkit::harness::{Kind, ServerOptions};
use tokio::runtime::{Builder, Runtime};

use crate::{
    Outcome, Scenario, Work,
    figures::{Figures, note},
    job::{self, Job, Side, Used},
    raw,
    topics::Topics,
};

/// Rounds of each scenario.
const ROUNDS: usize = 15;
/// The argument that sets another number of rounds.
const ROUNDS_ARGUMENT: &str = "--rounds=";
/// Memory of the broker, in MiB.
const HEAP: usize = 768;
/// The size of the bare loop's transactions: of a binding that is busy they are as large as its window.
const TRANSACTION: u64 = 10_000;

/// Runs what the command line asks for.
pub(crate) fn run(scenarios: &[Scenario]) -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [one, job, ..] = arguments.as_slice()
        && one == job::ONE
    {
        return job::run(job);
    }
    // As a test it has nothing to say: the suites are run against a broker elsewhere.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let server = runtime.block_on(ServerOptions::new(Kind::Kafka).heap(HEAP).available())?;
    let Some(server) = server else {
        return Ok(());
    };
    let mut bench = Bench::new(runtime, server.addr(), rounds(&arguments)?)?;
    let mut figures = Figures::default();
    for scenario in scenarios {
        if is_wanted(&arguments, scenario.name) {
            bench.run(scenario, &mut figures)?;
        }
    }
    figures.print();
    Ok(())
}

fn rounds(arguments: &[String]) -> Outcome<usize> {
    let mut found = arguments.iter();
    let found = found.find_map(|argument| argument.strip_prefix(ROUNDS_ARGUMENT));
    Ok(found.map_or(Ok(ROUNDS), str::parse)?)
}

fn is_wanted(arguments: &[String], name: &str) -> bool {
    let mut filters = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    filters.peek().is_none() || filters.any(|filter| filter == name)
}

struct Bench {
    runtime: Runtime,
    servers: String,
    topics: Topics,
    rounds: usize,
    /// Distinguishes this run's topics and groups from those of others.
    run: String,
    /// Numbers groups and outputs.
    count: usize,
}

impl Bench {
    fn new(runtime: Runtime, servers: String, rounds: usize) -> Outcome<Self> {
        Ok(Self {
            runtime,
            topics: Topics::new(&servers)?,
            servers,
            rounds,
            run: format!("{:06x}", fastrand::u32(..1 << 24)),
            count: 0,
        })
    }

    fn run(&mut self, scenario: &Scenario, figures: &mut Figures) -> Outcome<()> {
        let input = format!("{}-{}", scenario.name, self.run);
        let reads = !matches!(scenario.work, Work::Publish | Work::Singles);
        if reads {
            self.topics.create(&self.runtime, &input)?;
            raw::fill(&self.servers, &input, scenario.bytes, scenario.messages)?;
        }
        // The first round of each side warms the broker up.
        for round in 0..=self.rounds {
            let order = if round % 2 == 0 {
                [Side::Ours, Side::Raw]
            } else {
                [Side::Raw, Side::Ours]
            };
            let mut pair = Vec::with_capacity(2);
            for side in order {
                pair.push((side, self.one(scenario, side, &input)?));
            }
            pair.sort_unstable_by_key(|(side, _)| *side == Side::Raw);
            if let [(_, ours), (_, raw)] = pair[..]
                && round > 0
            {
                figures.add(scenario, round, ours, raw);
            }
        }
        if reads {
            self.topics.remove(&self.runtime, &input)?;
        }
        Ok(())
    }

    fn one(&mut self, scenario: &Scenario, side: Side, input: &str) -> Outcome<Used> {
        self.count += 1;
        let output = format!("out-{}-{}", self.run, self.count);
        self.topics.create(&self.runtime, &output)?;
        let job = Job {
            side,
            work: scenario.work,
            messages: scenario.messages,
            bytes: scenario.bytes,
            servers: self.servers.clone(),
            input: input.to_owned(),
            output: output.clone(),
            group: format!("group-{}-{}", self.run, self.count),
            transaction: TRANSACTION,
        };
        let used = job.in_child()?;
        if scenario.work == Work::ExactlyOnce {
            self.look_at_output(&job)?;
        }
        self.topics.remove(&self.runtime, &output)?;
        Ok(used)
    }

    /// Everything is there once, and every transaction has left a mark in each partition that it has touched.
    fn look_at_output(&self, job: &Job) -> Outcome<()> {
        let marks = self
            .topics
            .positions(&job.output)?
            .checked_sub(job.messages);
        let marks = marks.ok_or("the output has fewer messages than the input")?;
        note(&format!("{:?}: {marks} marks of transactions", job.side));
        Ok(())
    }
}
