//! The servers that the harness knows.

use std::fmt;
use std::str::FromStr;

use super::recipe::Recipe;
use super::{kafka, mariadb, postgres, rabbitmq, redis};

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Apache Kafka, broker and controller in one process.
    Kafka,
    /// RabbitMQ.
    RabbitMq,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
    /// Redis.
    Redis,
}

impl Kind {
    /// All of them, the light ones first.
    pub const ALL: [Self; 5] = [
        Self::Redis,
        Self::Postgres,
        Self::MariaDb,
        Self::RabbitMq,
        Self::Kafka,
    ];

    /// Its name in `MQ_REQUIRE`, in skips and in folders.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::RabbitMq => "rabbitmq",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::Redis => "redis",
        }
    }

    /// The variable that gives the address of one that runs already: `MQ_KAFKA=host:port`.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Kafka => "MQ_KAFKA",
            Self::RabbitMq => "MQ_RABBITMQ",
            Self::Postgres => "MQ_POSTGRES",
            Self::MariaDb => "MQ_MARIADB",
            Self::Redis => "MQ_REDIS",
        }
    }

    /// The URL of one at `addr`, `host:port`, with the users and names that the recipes make; for Kafka that is the address.
    pub(super) fn url(self, addr: &str) -> String {
        match self {
            Self::Kafka => addr.to_owned(),
            Self::RabbitMq => format!("amqp://guest:guest@{addr}/%2f"),
            Self::Postgres => format!("postgres://postgres@{addr}/postgres"),
            Self::MariaDb => format!("mysql://root@{addr}/mysql"),
            Self::Redis => format!("redis://{addr}"),
        }
    }

    pub(super) fn recipe(self) -> &'static dyn Recipe {
        match self {
            Self::Kafka => &kafka::Kafka,
            Self::RabbitMq => &rabbitmq::RabbitMq,
            Self::Postgres => &postgres::Postgres,
            Self::MariaDb => &mariadb::MariaDb,
            Self::Redis => &redis::Redis,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = mq_core::error::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            let what = format!("there is no server `{text}`; take one of {known}");
            mq_core::error::Error::new(mq_core::error::ErrorKind::NotFound, what)
        })
    }
}
