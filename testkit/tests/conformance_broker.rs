//! The embedded broker passes the suite.

mq_testkit::conformance!(broker, mq_testkit::conformance::broker_subject());
