//! What differs between what is asked for and what is there.

use std::collections::{BTreeMap, HashMap};

use mq_core::{
    binder::{DestinationPlan, Drift},
    error::Result,
};
use rdkafka::{
    admin::{ConfigResource, OwnedResourceSpecifier, ResourceSpecifier},
    types::RDKafkaErrorCode,
};

use super::{KafkaAdmin, topics::Topic};
use crate::{
    config::{Scalar, setting_name},
    error,
};

/// What differs in the shape of a topic.
pub(super) fn shape(plan: &DestinationPlan, replication: Option<u16>, found: Topic) -> Vec<Drift> {
    let wanted = [
        ("partitions", plan.partitions, found.partitions),
        ("replication", replication.map(u32::from), found.replication),
    ];
    let differs = wanted.into_iter().filter_map(|(what, wanted, found)| {
        let wanted = wanted.filter(|wanted| *wanted != found)?;
        Some(drift(plan, what, wanted.to_string(), found.to_string()))
    });
    differs.collect()
}

/// What differs in the settings of a topic.
fn settings(
    plan: &DestinationPlan,
    wanted: &BTreeMap<String, Scalar>,
    found: &HashMap<&str, &str>,
) -> Vec<Drift> {
    let differs = wanted.iter().filter_map(|(name, wanted)| {
        let (what, wanted) = (setting_name(name), wanted.to_string());
        let is = found.get(name.as_str()).copied();
        if is.is_some_and(|is| same(is, &wanted)) {
            return None;
        }
        let is = is.unwrap_or("no such setting");
        // A name that Kafka does not have stands in the values.
        Some(match what == name {
            true => drift(plan, what, wanted, is.to_owned()),
            false => drift(plan, what, format!("{name} = {wanted}"), is.to_owned()),
        })
    });
    differs.collect()
}

/// Whether two values are the same: lists may have another order, and spaces.
fn same(one: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<_> = text
            .split(',')
            .map(|part| part.trim().to_lowercase())
            .collect();
        parts.sort();
        parts
    };
    parts(one) == parts(other)
}

fn drift(plan: &DestinationPlan, what: &'static str, wanted: String, found: String) -> Drift {
    Drift {
        destination: plan.name.clone(),
        what,
        wanted,
        found,
    }
}

impl KafkaAdmin {
    /// What differs in the settings of topics that are there. Only asked where settings are asked for: it takes a right of its own.
    pub(super) async fn settings_drift(&self, plans: &[&DestinationPlan]) -> Result<Vec<Drift>> {
        let wanted = &self.settings.topic;
        if wanted.is_empty() || plans.is_empty() {
            return Ok(Vec::new());
        }
        if self.link.has_tokens() {
            tracing::warn!(
                binder = self.link.name(),
                "settings of topics are not compared: this client's administration takes no tokens; remove `topic` from the settings"
            );
            return Ok(Vec::new());
        }
        let topics: Vec<_> = plans
            .iter()
            .map(|plan| ResourceSpecifier::Topic(&plan.name))
            .collect();
        let described = self
            .changes()?
            .describe_configs(&topics, &self.options())
            .await
            .map_err(|error| {
                self.link
                    .explain(error::classify("comparing settings of topics", &error))
            })?;
        let mut found = Vec::new();
        for result in described {
            match result {
                Ok(one) => found.extend(compare(plans, wanted, &one)),
                Err(
                    code @ (RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed),
                ) => {
                    tracing::warn!(binder = self.link.name(), %code, "settings of topics are not compared; give the user the operation DescribeConfigs on them, or remove `topic` from the settings");
                }
                Err(code) => {
                    return Err(error::of_code(
                        "comparing settings of topics",
                        code,
                        &code.to_string(),
                    ));
                }
            }
        }
        Ok(found)
    }
}

fn compare(
    plans: &[&DestinationPlan],
    wanted: &BTreeMap<String, Scalar>,
    found: &ConfigResource,
) -> Vec<Drift> {
    let OwnedResourceSpecifier::Topic(name) = &found.specifier else {
        return Vec::new();
    };
    let Some(plan) = plans.iter().find(|plan| *plan.name == **name) else {
        return Vec::new();
    };
    let entries = found.entries.iter();
    let values = entries.map(|entry| {
        (
            entry.name.as_str(),
            entry.value.as_deref().unwrap_or_default(),
        )
    });
    settings(plan, wanted, &values.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_of_the_shape_is_named() {
        let found = Topic {
            partitions: 2,
            replication: 1,
        };
        let plan = DestinationPlan::new("orders").partitions(3);
        let drift: Vec<_> = shape(&plan, Some(3), found)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            drift,
            [
                "partitions of `orders`: wanted 3, found 2",
                "replication of `orders`: wanted 3, found 1"
            ]
        );
        assert!(shape(&DestinationPlan::new("orders"), None, found).is_empty());
    }

    #[test]
    fn settings_are_compared_by_what_they_mean() {
        let text = |text: &str| Scalar::Text(text.to_owned());
        let wanted = BTreeMap::from([
            ("cleanup.policy".to_owned(), text("delete, compact")),
            ("retention.ms".to_owned(), Scalar::Integer(1_000)),
            ("confluent.odd".to_owned(), Scalar::Bool(true)),
        ]);
        let found = HashMap::from([
            ("cleanup.policy", "compact,delete"),
            ("retention.ms", "604800000"),
        ]);
        let drift = settings(&DestinationPlan::new("orders"), &wanted, &found);
        let drift: Vec<_> = drift
            .iter()
            .map(|one| (one.what, &*one.wanted, &*one.found))
            .collect();
        let expected = [
            ("a topic setting", "confluent.odd = true", "no such setting"),
            ("retention.ms", "1000", "604800000"),
        ];
        assert_eq!(drift, expected);
    }
}
