//! The list of cases: the one place that tests and table are made from.

/// Calls back with every case. `tests` makes a test of each, `table` a list of [`Case`](super::Case)s.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    (tests) => { $crate::__conformance_cases! { @list tests } };
    (table) => { $crate::__conformance_cases! { @list table } };
    (@list $mode:ident) => {
        $crate::__conformance_cases! { @$mode
            publish {
                one_message_arrives,
                messages_of_one_call_arrive_in_order,
                a_result_for_each_message,
                a_closed_instance_publishes_nothing,
            }
            fidelity {
                payloads_arrive_byte_for_byte,
            }
            groups {
                every_group_gets_every_message,
                members_of_a_group_share_without_duplicates,
            }
            settle {
                a_released_message_comes_again,
            }
            refusals {
                filter,
            }
            service {
                a_failed_message_is_tried_again_and_then_handled,
            }
            suite {
                every_declared_capability_is_exercised,
            }
        }
    };
    (@tests $($group:ident { $($case:ident,)* })*) => {
        $(
            mod $group {
                $(
                    #[test]
                    fn $case() {
                        $crate::conformance::check(super::subject(), stringify!($group), stringify!($case));
                    }
                )*
            }
        )*
    };
    (@table $($group:ident { $($case:ident,)* })*) => {
        vec![$($(
            $crate::conformance::cases::$group::$case().called(stringify!($group), stringify!($case)),
        )*)*]
    };
}

/// Makes a test of every case of the suite, in a module of this name.
///
/// The second argument is a [`Subject`](crate::conformance::Subject), or a closure whose future is a `Result` with a binder: each call
/// connects another instance to the same broker.
/// It is evaluated once for each test.
///
/// ```
/// mod tests {
///     use mq_memory::MemoryBinder;
///
///     mq_testkit::conformance!(memory, {
///         let broker = MemoryBinder::new();
///         move || {
///             let instance = broker.reopened();
///             async { Ok(instance) }
///         }
///     });
/// }
/// ```
#[macro_export]
macro_rules! conformance {
    ($name:ident, $subject:expr) => {
        mod $name {
            #[allow(
                unused_imports,
                reason = "the subject may or may not name something of the surrounding module"
            )]
            use super::*;

            fn subject() -> $crate::conformance::Subject {
                $crate::conformance::IntoSubject::into_subject($subject, stringify!($name))
            }

            $crate::__conformance_cases! { tests }
        }
    };
}
