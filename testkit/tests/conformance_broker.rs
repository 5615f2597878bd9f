//! The embedded broker passes the suite.

mq_testkit::conformance!(broker, mq_testkit::conformance::broker_subject());
mq_testkit::conformance!(
    log,
    mq_testkit::conformance::broker_subject_as(mq_broker::GroupMode::Log)
);
