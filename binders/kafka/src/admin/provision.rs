//! Creating and verifying the topics and groups that bindings need.

use std::{sync::Arc, time::Instant};

use mq_core::{
    binder::{DestinationPlan, Drift, ProvisionReport},
    error::{Error, ErrorKind, Result},
};
use rdkafka::{
    admin::{NewPartitions, NewTopic, TopicReplication, TopicResult},
    types::RDKafkaErrorCode,
};

use super::{
    KafkaAdmin,
    drift::shape,
    topics::{AGAIN, Topic, unauthorized},
};
use crate::error;

/// Leaves a number to the broker (KIP-464).
const DEFAULT: i32 = -1;

/// What is there of a plan, and what is not.
struct Sighted<'a> {
    there: Vec<(&'a DestinationPlan, Topic)>,
    missing: Vec<&'a DestinationPlan>,
}

impl KafkaAdmin {
    async fn sight<'a>(&self, plan: &'a [DestinationPlan]) -> Result<Sighted<'a>> {
        let names: Vec<_> = plan.iter().map(|wanted| wanted.name.clone()).collect();
        let found = self
            .blocking(move |own| {
                let found = names.iter().map(|name| match own.lookup(name) {
                    Ok(topic) => Ok(Some(topic)),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                });
                found.collect::<Result<Vec<_>>>()
            })
            .await?;
        let mut sighted = Sighted {
            there: Vec::new(),
            missing: Vec::new(),
        };
        for (wanted, found) in plan.iter().zip(found) {
            match found {
                Some(topic) => sighted.there.push((wanted, topic)),
                None => sighted.missing.push(wanted),
            }
        }
        Ok(sighted)
    }

    async fn drift(&self, there: &[(&DestinationPlan, Topic)]) -> Result<Vec<Drift>> {
        let replication = self.settings.replication;
        let shapes = there
            .iter()
            .flat_map(|(plan, topic)| shape(plan, replication, *topic));
        let mut drift: Vec<_> = shapes.collect();
        let plans: Vec<_> = there.iter().map(|(plan, _)| *plan).collect();
        drift.extend(self.settings_drift(&plans).await?);
        Ok(drift)
    }

    pub(super) async fn create(&self, plan: &[DestinationPlan]) -> Result<ProvisionReport> {
        if let Some(wanted) = plan.iter().find(|wanted| wanted.partitions == Some(0)) {
            let text = "a destination has at least one partition; set `partitions` to 1 or more";
            return Err(error::config(text).context("destination", &wanted.name));
        }
        let mut sighted = self.sight(plan).await?;
        if self.settings.grow {
            self.grow(&mut sighted.there).await?;
        }
        let sized = self.sized(&sighted).await?;
        let mut report = ProvisionReport {
            drift: self.drift(&sighted.there).await?,
            ..ProvisionReport::default()
        };
        if !sized.is_empty() {
            report.created = self.create_topics(&sized).await?;
        }
        let plan = plan.to_vec();
        let founded = self.blocking(move |own| own.found_all(&plan)).await?;
        report.created.extend(founded);
        Ok(report)
    }

    /// The plans of what is missing, with the numbers of partitions of those that have to be like others.
    async fn sized(&self, sighted: &Sighted<'_>) -> Result<Vec<DestinationPlan>> {
        let mut sized = Vec::with_capacity(sighted.missing.len());
        for wanted in &sighted.missing {
            let mut plan = (*wanted).clone();
            if plan.partitions.is_none() {
                for name in &wanted.like {
                    let count = self.planned(sighted, name).await?;
                    plan.partitions = plan.partitions.max(count);
                }
            }
            sized.push(plan);
        }
        Ok(sized)
    }

    /// How many partitions a topic has or will have; `None` if that is left to the broker, or there is no such topic.
    async fn planned(&self, sighted: &Sighted<'_>, name: &Arc<str>) -> Result<Option<u32>> {
        if let Some((_, topic)) = sighted.there.iter().find(|(plan, _)| plan.name == *name) {
            return Ok(Some(topic.partitions));
        }
        if let Some(plan) = sighted.missing.iter().find(|plan| plan.name == *name) {
            return Ok(plan.partitions);
        }
        let name = name.clone();
        match self.blocking(move |own| own.lookup(&name)).await {
            Ok(topic) => Ok(Some(topic.partitions)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create_topics(&self, missing: &[DestinationPlan]) -> Result<Vec<String>> {
        let settings = self.settings.topic.iter();
        let settings: Vec<_> = settings
            .map(|(name, value)| (name, value.to_string()))
            .collect();
        let topics: Vec<_> = missing
            .iter()
            .map(|wanted| {
                let topic = self.new_topic(wanted);
                settings
                    .iter()
                    .fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let results = self.ask_for(&topics).await?;
        let mut created = Vec::new();
        for result in results {
            match result {
                Ok(name) => created.push(name),
                // Another instance was faster.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(not_created(&name, code)),
            }
        }
        for wanted in missing {
            self.until(&wanted.name, |found| found.is_some()).await?;
        }
        Ok(created)
    }

    /// Asks once more where a connection was broken: a topic that is there already is no mistake.
    async fn ask_for(&self, topics: &[NewTopic<'_>]) -> Result<Vec<TopicResult>> {
        let begin = Instant::now();
        loop {
            let asked = self.changes()?.create_topics(topics, &self.options()).await;
            let error = match asked {
                Ok(results) => return Ok(results),
                Err(error) => error::classify("creating topics", &error),
            };
            if !error.is_temporary() || begin.elapsed() > self.timeout() {
                return Err(self.link.explain(error));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn new_topic<'a>(&self, wanted: &'a DestinationPlan) -> NewTopic<'a> {
        let partitions = wanted.partitions.or(self.settings.partitions);
        let partitions =
            partitions.map_or(DEFAULT, |count| i32::try_from(count).unwrap_or(i32::MAX));
        let replication = self.settings.replication.map_or(DEFAULT, i32::from);
        NewTopic::new(
            &wanted.name,
            partitions,
            TopicReplication::Fixed(replication),
        )
    }

    /// Adds partitions to topics that have fewer than are asked for.
    async fn grow(&self, there: &mut [(&DestinationPlan, Topic)]) -> Result<()> {
        for (plan, topic) in there {
            let Some(wanted) = plan.partitions.filter(|wanted| *wanted > topic.partitions) else {
                continue;
            };
            let more =
                NewPartitions::new(&plan.name, usize::try_from(wanted).unwrap_or(usize::MAX));
            let results = self
                .changes()?
                .create_partitions(&[more], &self.options())
                .await
                .map_err(|error| {
                    self.link
                        .explain(error::classify("adding partitions", &error))
                })?;
            for result in results {
                match result {
                    // Another instance was faster.
                    Ok(_) | Err((_, RDKafkaErrorCode::InvalidPartitions)) => {}
                    Err((name, RDKafkaErrorCode::TopicAuthorizationFailed)) => {
                        return Err(unauthorized(&name, "add partitions to"));
                    }
                    Err((name, code)) => {
                        return Err(error::of_code("adding partitions", code, &code.to_string())
                            .context("destination", name));
                    }
                }
            }
            let enough =
                |found: Option<Topic>| found.is_some_and(|found| found.partitions >= wanted);
            self.until(&plan.name, enough).await?;
            tracing::warn!(
                binder = self.link.name(),
                destination = &*plan.name,
                from = topic.partitions,
                to = wanted,
                "partitions were added: keys go elsewhere from now on"
            );
            topic.partitions = wanted;
        }
        Ok(())
    }

    /// Compares without changing anything; needs the right to describe topics and groups, no other.
    pub(super) async fn verify(&self, plan: &[DestinationPlan]) -> Result<ProvisionReport> {
        let sighted = self.sight(plan).await?;
        let topics = sighted
            .missing
            .iter()
            .map(|wanted| format!("destination `{}`", wanted.name));
        let mut missing: Vec<_> = topics.collect();
        let there: Vec<_> = sighted
            .there
            .iter()
            .map(|(plan, _)| (*plan).clone())
            .collect();
        missing.extend(self.blocking(move |own| own.absent(&there)).await?);
        let drift: Vec<_> = self
            .drift(&sighted.there)
            .await?
            .iter()
            .map(ToString::to_string)
            .collect();
        verdict(&missing, &drift)
    }
}

fn not_created(name: &str, code: RDKafkaErrorCode) -> Error {
    use RDKafkaErrorCode as C;
    let fix = match code {
        C::TopicAuthorizationFailed | C::ClusterAuthorizationFailed => {
            return unauthorized(name, "create");
        }
        C::InvalidReplicationFactor => "; set `replication` to at most the number of brokers",
        C::InvalidTopic => return error::no_name(name),
        C::InvalidConfig => "; correct `topic` in the binder's settings",
        C::PolicyViolation => {
            "; the cluster has rules for new topics: ask for something else, or create it by hand"
        }
        _ => "",
    };
    error::of_code("creating a topic", code, &format!("{code}{fix}")).context("destination", name)
}

fn verdict(missing: &[String], drift: &[String]) -> Result<ProvisionReport> {
    let differs = format!(
        "{}; `provision = \"verify\"` changes nothing: ask for what is there, or change the topic",
        drift.join(", ")
    );
    let lacks = format!(
        "the cluster lacks what `provision = \"verify\"` expects: {}; create it, or set `provision = \"create\"`",
        missing.join(", ")
    );
    match (missing.is_empty(), drift.is_empty()) {
        (true, true) => Ok(ProvisionReport::default()),
        (true, false) => Err(error::config(differs)),
        (false, true) => Err(Error::new(ErrorKind::NotFound, lacks)),
        (false, false) => Err(Error::new(
            ErrorKind::NotFound,
            format!("{lacks}; and {differs}"),
        )),
    }
}
