//! The memory binder passes the suite, strong and weak.

use mq_memory::MemoryBinder;
use mq_testkit::conformance::MemoryForm;

mq_testkit::conformance!(strong, MemoryForm::Strong.subject());
mq_testkit::conformance!(log, MemoryForm::Log.subject());
mq_testkit::conformance!(queue, MemoryForm::Queue.subject());
mq_testkit::conformance!(bare, MemoryForm::Bare.subject());

// The short form: nothing is said but how to connect.
mq_testkit::conformance!(memory, {
    let broker = MemoryBinder::new();
    move || {
        let instance = broker.reopened();
        async { Ok(instance) }
    }
});
