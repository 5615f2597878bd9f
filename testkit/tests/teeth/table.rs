//! Rule, broken binder, and the cases that find it out.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicUsize},
};

use mq_core::binder::{Capability, ReplayFrom};
use mq_testkit::conformance::Rule;

use crate::{
    bite::{self, Tooth, bare, log, strong, without},
    broken::{
        assignments::CountsEachPartition,
        closing::*,
        fidelity::{self, Alters, ForgetsHeadersAtRedelivery, InventsIds},
        groups::*,
        positions::*,
        publish::*,
        receive::{self, *},
        settle::{self, *},
        steps::*,
        tools::*,
    },
    flaw::{Flaw, Flawless},
};

/// Makes a test of every line, and the list of the rules that are covered.
macro_rules! teeth {
    ($($name:ident: $broker:expr, $flaw:expr => $rule:ident [$($case:literal)*];)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                bite::check(Tooth {
                    rule: Rule::$rule,
                    broker: $broker,
                    flaw: || Arc::new($flaw),
                    cases: &[$($case),*],
                })
                .await;
            }
        )*

        /// The rules of the table.
        fn covered() -> BTreeSet<Rule> {
            BTreeSet::from([$(Rule::$rule),*])
        }
    };
}

teeth! {
    hides_the_assignment: strong, HidesTheAssignment => Assignment ["the_first_event_is_an_assignment"];
    loses_some: strong, LosesSome::default() => Arrival ["one_producer_serves_many_tasks"];
    ends_payloads_at_a_zero: strong, Alters(fidelity::ends_payloads_at_a_zero) => Payload ["payloads_arrive_byte_for_byte"];
    fills_tombstones: strong, Alters(fidelity::fills_tombstones) => Payload ["a_tombstone_arrives_as_one"];
    mixes_results: strong, MixesResults => Results ["a_result_belongs_to_its_message"];
    acknowledges_before_confirm: strong, AcknowledgesBeforeConfirm => Confirmed ["an_unconfirmed_message_is_an_error_that_may_pass" "nothing_is_stored_that_was_refused"];
    stores_backwards: strong, StoresBackwards => Order ["messages_of_one_call_arrive_in_order"];
    reorders_a_key: log, SwapsRecords => Order ["messages_of_one_call_arrive_in_order"];
    ignores_destinations: strong, IgnoresDestinations => Destination ["a_message_may_name_its_own_destination"];
    points_to_the_beginning: strong, PointsToTheBeginning => Receipt ["a_receipt_says_where_the_message_is"];
    takes_what_is_too_large: strong, TakesWhatIsTooLarge => MaxMessage ["a_message_that_is_too_large_is_refused_alone"];
    goes_on_behind_a_failure: strong, GoesOnBehindAFailure => KeyFailsTogether ["what_stands_behind_a_failed_message_of_its_key_fails_too"];
    deals_out_keys: strong, DealsOutKeys::default() => Partition ["a_key_always_goes_to_the_same_partition"];
    makes_keys_texts: strong, Alters(fidelity::makes_keys_texts) => Key ["keys_arrive_byte_for_byte"];
    drops_headers: strong, Alters(fidelity::drops_headers) => Headers ["a_hundred_headers_arrive"];
    sorts_headers: strong, Alters(fidelity::sorts_headers) => Headers ["headers_keep_order_and_repetitions"];
    makes_headers_texts: strong, Alters(fidelity::makes_headers_texts) => Headers ["binary_header_values_arrive"];
    drops_correlation: strong, Alters(fidelity::drops_correlation) => Properties ["correlation_and_reply_address_arrive"];
    keeps_seconds_only: strong, Alters(fidelity::keeps_seconds_only) => Properties ["the_timestamp_arrives_to_the_millisecond"];
    forgets_headers_at_redelivery: strong, ForgetsHeadersAtRedelivery => Unchanged ["a_redelivered_message_is_unchanged"];
    invents_ids: strong, InventsIds::default() => StableIds ["a_message_has_an_id_that_redelivery_keeps"];
    forgets_what_nobody_reads: strong, MovesGroups(ReplayFrom::Latest) => Kept ["a_group_keeps_a_message_while_nobody_reads"];
    settles_on_receive: strong, SettlesOnReceive => Unsettled ["an_unsettled_message_comes_again" "what_a_crashed_member_had_goes_to_another"];
    settles_on_close: strong, SettlesOnClose => Unsettled ["an_unsettled_message_comes_again"];
    redelivers_what_is_settled: strong, MovesGroups(ReplayFrom::Earliest) => Settled ["an_acknowledged_message_does_not_come_again"];
    settles_twice: strong, SettlesTwice::default() => SettledOnce ["a_release_after_an_acknowledgement_is_refused"];
    hides_refused_settlements: strong, HidesRefusals => SettleResults ["what_fails_in_a_call_is_named_and_the_rest_takes_effect"];
    ignores_epochs: strong, IgnoresEpochs::default() => Fence ["a_settlement_of_an_older_assignment_is_lost"];
    one_group_for_all: strong, OneGroupForAll => Copies ["every_group_gets_every_message"];
    delivers_to_two_members: strong, DeliversToTwoMembers => Shared ["members_of_a_group_share_without_duplicates"];
    ignores_the_start: strong, IgnoresTheStart => Start ["a_late_group_may_begin_at_the_latest"];
    names_the_anonymous: strong, NamesTheAnonymous => Anonymous ["anonymous_readers_get_a_copy_each"];
    reads_one_destination: strong, ReadsOneDestination => Destinations ["one_consumer_reads_several_destinations"];
    hands_over_too_much: strong, HandsOverTooMuch => Handover ["no_more_is_handed_over_than_was_asked_for"];
    empties_the_buffer: strong, EmptiesTheBuffer => Handover ["records_are_appended_to_what_is_there"];
    loses_what_is_dropped: strong, LosesWhatIsDropped => CancelSafe ["a_receive_dropped_at_any_wait_loses_nothing"];
    sleeps_for_ever: strong, SleepsForEver => Woken ["a_waiting_receive_is_woken_by_a_message"];
    holds_up_settling: strong, HoldsUpSettling::default() => Halves ["a_waiting_receive_does_not_hold_up_settling"];
    ignores_the_window: strong, IgnoresTheWindow => Window ["the_window_bounds_what_is_unsettled"];
    leaks_while_paused: strong, LeaksWhilePaused => Pause ["a_paused_lane_is_silent_until_it_is_resumed" "a_paused_reader_keeps_its_place_in_the_group"];
    counts_each_partition: log, CountsEachPartition::default() => Epochs ["a_late_settlement_does_not_count_for_another_lane_of_its_number"];
    hides_lost_lanes: strong, HidesLostLanes => Members ["lost_lanes_are_reported_and_come_back"];
    swallows_releases: strong, Changes(settle::swallows_releases) => Release ["a_released_message_comes_again"];
    forgets_attempts: strong, Forges(receive::forgets_attempts) => Attempts ["attempts_come_back_with_the_message" "attempts_survive_the_instance"];
    forgets_holds: strong, Forges(receive::forgets_holds) => Hold ["a_hold_is_remembered_for_whoever_comes_next"];
    gives_held_back: strong, Changes(settle::gives_held_back) => Hold ["a_held_message_stays_with_its_consumer"];
    counts_no_deliveries: strong, Forges(receive::counts_no_deliveries) => DeliveryCount ["deliveries_are_counted"];
    swallows_extensions: strong, Changes(settle::swallows_extensions) => Extend ["a_deadline_can_be_extended"];
    commits_too_little: log, Changes(settle::commits_too_little) => Commit ["a_group_goes_on_at_the_committed_position"];
    forgets_notes: log, Changes(settle::forgets_notes) => Notes ["a_position_can_be_committed_again_with_other_notes"];
    swallows_commits: strong, Changes(settle::swallows_commits) => SettleStyle ["positions_cannot_be_committed_where_messages_are_settled"];
    boasts_of_key_order: || without(Capability::KeyOrder), Boasts(&[Capability::KeyOrder]) => KeyOrder ["a_key_waits_while_its_head_is_out_and_others_go_on"];
    delivers_early: strong, Alters(fidelity::delivers_early) => DelayedDelivery ["a_delayed_message_is_not_early_and_arrives"];
    redelivers_early: strong, Changes(settle::redelivers_early) => DelayedRedelivery ["a_delayed_release_is_not_early_and_comes_again"];
    forgets_the_end: strong, Alters(fidelity::forgets_the_end) => Expiry ["the_end_of_a_message_arrives_with_it"];
    forgets_the_priority: strong, Alters(fidelity::forgets_the_priority) => Priority ["a_higher_priority_comes_first"];
    lets_everything_through: strong, LetsEverythingThrough => Filter ["a_filter_lets_through_what_matches"];
    swallows_dead_letters: strong, Changes(settle::swallows_dead_letters) => DeadLetter ["a_dead_letter_is_moved_with_everything"];
    swallows_a_failed_dead_letter: strong, SwallowsFailedDeadLetters => LastResort ["a_failed_dead_letter_keeps_its_source"];
    settles_before_the_commit: strong, SettlesBeforeTheCommit => Atomic ["an_output_that_is_refused_refuses_the_step"];
    settles_though_outputs_are_refused: strong, SettlesThoughRefused::default() => Atomic ["an_output_that_is_refused_refuses_the_step"];
    publishes_before_the_commit: strong, PublishesBeforeTheCommit::default() => Isolation ["nothing_is_seen_before_the_commit"];
    publishes_on_abort: strong, PublishesOnAbort => Abort ["an_aborted_step_leaves_nothing"];
    hides_the_fence: strong, HidesTheFence => StepFence ["a_consumer_that_has_left_is_fenced"];
    applies_a_step_twice: strong, AppliesTwice::default() => StepConfirmed ["an_unconfirmed_commit_is_found_out_by_repeating_it"];
    sees_no_members: strong, SeesNoMembers => Listing ["groups_are_listed_with_their_members"];
    counts_less_lag: strong, CountsLessLag => Lag ["lag_counts_what_is_not_settled"];
    shows_no_headers: strong, ShowsNoHeaders => Browse ["browsing_shows_everything_and_consumes_nothing"];
    purges_nothing: strong, PurgesNothing => Removal ["purging_removes_what_is_there"];
    finds_what_is_not_there: strong, FindsWhatIsNotThere => NotFound ["what_is_not_there_is_not_found"];
    moves_nothing: strong, MovesNothing => Seek ["a_group_reads_again_from_the_earliest" "a_consumer_moves_its_lane"];
    makes_everything_again: strong, MakesEverythingAgain => Provision ["what_is_missing_is_made_once"];
    makes_what_it_verifies: strong, MakesWhatItVerifies => Verify ["verifying_makes_nothing"];
    closes_nothing: strong, ClosesNothing => Closed ["a_closed_instance_opens_nothing"];
    loses_on_reconnect: strong, LosesOnReconnect::default() => Reconnect ["what_was_unsettled_at_a_cut_comes_again"];
    hides_cuts: strong, HidesCuts => Reconnect ["a_cut_is_noticed_while_a_consumer_waits"];
    is_always_well: strong, IsAlwaysWell => Health ["a_closed_instance_is_down"];
    delivers_early_what_it_cannot_delay: bare, Alters(fidelity::delivers_early) => Refusal ["a_message_that_is_due_later"];
    lets_everything_through_without_filters: bare, LetsEverythingThrough => Refusal ["a_filter"];
    forgets_at_a_restart: strong, ForgetsAtARestart => Durable ["messages_survive_a_restart_of_the_broker" "settlements_survive_a_restart_of_the_broker"];
    keeps_groups_in_the_instance: strong, KeepsGroupsInTheInstance::default() => Progress ["a_group_outlives_the_instance_that_made_it"];
    commits_too_much: log, CommitsTooMuch => Commit ["a_group_goes_on_at_the_committed_position"];
    commits_on_receive: log, CommitsOnReceive => Unsettled ["an_unsettled_message_comes_again"];
    boasts_of_partitions: || without(Capability::Partitions), Boasts(&[Capability::Partitions]) => Lanes ["an_assignment_names_every_partition"];
    boasts_of_anonymous_groups: || without(Capability::AnonymousGroups), Boasts(&[Capability::AnonymousGroups]) => Anonymous ["anonymous_readers_get_a_copy_each"];
    boasts_of_delayed_redelivery: || without(Capability::DelayedRedelivery), Boasts(&[Capability::DelayedRedelivery]) => DelayedRedelivery ["a_delayed_release_is_not_early_and_comes_again"];
    boasts_of_delayed_delivery: || without(Capability::DelayedDelivery), Boasts(&[Capability::DelayedDelivery]) => DelayedDelivery ["a_delayed_message_is_not_early_and_arrives"];
    boasts_of_dead_letter: || without(Capability::DeadLetter), Boasts(&[Capability::DeadLetter]) => DeadLetter ["a_dead_letter_is_moved_with_everything"];
    boasts_of_delivery_count: || without(Capability::DeliveryCount), Boasts(&[Capability::DeliveryCount]) => DeliveryCount ["deliveries_are_counted"];
    boasts_of_extend: || without(Capability::Extend), Boasts(&[Capability::Extend]) => Extend ["a_deadline_can_be_extended"];
    boasts_of_transactions: || without(Capability::Transactions), Boasts(&[Capability::Transactions]) => Isolation ["nothing_is_seen_before_the_commit"];
    boasts_of_seek: || without(Capability::Seek), Boasts(&[Capability::Seek]) => Seek ["a_group_reads_again_from_the_earliest"];
    boasts_of_filter: || without(Capability::Filter), Boasts(&[Capability::Filter]) => Filter ["a_filter_lets_through_what_matches"];
    boasts_of_priority: || without(Capability::Priority), Boasts(&[Capability::Priority]) => Priority ["a_higher_priority_comes_first"];
    boasts_of_expiry: || without(Capability::Expiry), Boasts(&[Capability::Expiry]) => Expiry ["the_end_of_a_message_arrives_with_it"];
    boasts_of_browse: || without(Capability::Browse), Boasts(&[Capability::Browse]) => Browse ["browsing_shows_everything_and_consumes_nothing"];
    boasts_of_lag: || without(Capability::Lag), Boasts(&[Capability::Lag]) => Lag ["lag_counts_what_is_not_settled"];
    keeps_the_last_header: strong, Alters(fidelity::keeps_the_last_header) => Headers ["headers_keep_order_and_repetitions"];
    makes_names_small: strong, Alters(fidelity::makes_names_small) => Headers ["header_names_are_case_sensitive"];
    adds_a_header: strong, Alters(fidelity::adds_a_header) => Headers ["no_header_appears_that_nobody_wrote"];
    drops_the_headers_of_the_framework: strong, Alters(fidelity::drops_the_headers_of_the_framework) => Headers ["headers_of_the_framework_arrive"];
    drops_the_reply_address: strong, Alters(fidelity::drops_the_reply_address) => Properties ["correlation_and_reply_address_arrive"];
    cuts_content_types: strong, Alters(fidelity::cuts_content_types) => Properties ["the_content_type_arrives"];
    says_that_it_is_json: strong, Alters(fidelity::says_that_it_is_json) => Properties ["a_message_without_a_content_type_has_none"];
    makes_keys_up: log, Alters(fidelity::makes_keys_up) => Key ["a_message_without_a_key_has_none"];
    cuts_long_payloads: strong, Alters(fidelity::cuts_long_payloads) => Payload ["a_payload_of_a_mebibyte_arrives"];
    bends_priorities: strong, Alters(fidelity::bends_priorities) => Priority ["a_priority_out_of_range_is_refused"];
    cuts_delays: strong, Alters(fidelity::cuts_delays) => DelayedDelivery ["a_delayed_message_is_not_early_and_arrives"];
    ignores_partitions: strong, Alters(fidelity::ignores_partitions) => Partition ["an_explicit_partition_is_kept"];
    leaves_out_failures: strong, LeavesOutFailures => Results ["a_result_belongs_to_its_message"];
    fails_together: strong, FailsTogether => Results ["a_result_belongs_to_its_message"];
    gives_up: strong, GivesUp => Confirmed ["an_unconfirmed_message_is_an_error_that_may_pass"];
    retries_by_itself: strong, Retries => Confirmed ["an_unconfirmed_message_is_an_error_that_may_pass"];
    stores_twice: strong, StoresTwice => Arrival ["one_producer_serves_many_tasks"];
    releases_what_is_discarded: strong, Changes(settle::releases_what_is_discarded) => Settled ["a_discarded_message_does_not_come_again"];
    forgets_to_write_attempts: strong, Changes(settle::forgets_to_write_attempts) => Attempts ["attempts_survive_the_instance"];
    settles_the_first: strong, SettlesTheFirst => Settled ["a_hundred_messages_are_settled_in_one_call"];
    settles_up_to: strong, SettlesUpTo::default() => Unsettled ["what_is_below_a_settled_message_comes_again"];
    settles_all_or_nothing: strong, SettlesAllOrNothing => SettleResults ["what_fails_in_a_call_is_named_and_the_rest_takes_effect"];
    misplaces_refusals: strong, MisplacesRefusals => SettleResults ["what_fails_in_a_call_is_named_and_the_rest_takes_effect"];
    keeps_half_of_the_delay: strong, KeepsHalfOfTheDelay => DelayedRedelivery ["a_delayed_release_is_not_early_and_comes_again"];
    hides_revocations: log, HidesRevocations => Members ["a_lane_that_is_to_be_given_up_can_be_settled_until_then"];
    forgets_the_silent: strong, ForgetsTheSilent::default() => Alive ["who_does_not_receive_for_a_while_keeps_what_it_has"];
    outlives_its_instance: strong, OutlivesItsInstance => Closed ["closing_the_instance_ends_a_waiting_receive"];
    never_comes_back: strong, NeverComesBack => Reconnect ["a_cut_is_noticed_while_a_consumer_waits"];
    stays_paused: strong, StaysPaused => Pause ["a_paused_lane_is_silent_until_it_is_resumed"];
    pauses_everything: strong, PausesEverything => Pause ["a_paused_lane_is_silent_until_it_is_resumed"];
    starts_known_groups: strong, StartsKnownGroups => Start ["a_start_does_not_move_a_known_group"];
    shows_the_anonymous_the_past: strong, ShowsTheAnonymousThePast::default() => Anonymous ["an_anonymous_reader_gets_only_what_is_new"];
    overlooks_bad_filters: strong, OverlooksBadFilters => Filter ["a_filter_that_cannot_be_read_is_refused"];
    makes_what_it_should_not_touch: strong, MakesWhatItShouldNotTouch => Verify ["nothing_is_touched_where_that_is_asked_for"];
    names_the_first_missing: strong, NamesTheFirstMissing => Verify ["verifying_names_everything_that_is_missing"];
    forgets_groups: strong, ForgetsGroups => Provision ["verifying_what_is_there_is_quiet"];
    makes_anew: strong, MakesAnew => Provision ["what_is_there_keeps_its_messages"];
    moves_all_groups: strong, MovesAllGroups => Seek ["moving_one_group_leaves_the_others"];
    loses_its_place: strong, LosesItsPlace => Browse ["browsing_shows_everything_and_consumes_nothing"];
    forgets_the_inputs: strong, ForgetsTheInputs => Atomic ["a_step_takes_effect_as_a_whole"];
    keeps_what_was_aborted: strong, KeepsWhatWasAborted => Abort ["an_abort_forgets_only_the_open_step"];
    publishes_though_fenced: strong, PublishesThoughFenced::default() => StepFence ["a_lost_lane_refuses_the_step"];
    changes_its_mind: strong, ChangesItsMind(AtomicUsize::new(0)) => Declared ["capabilities_do_not_contradict_each_other"];
    is_never_well: strong, IsNeverWell => Health ["an_open_instance_is_up"];
    boasts_of_durability: strong, Boasts(&[Capability::Durable]) => Declared ["every_declared_capability_is_exercised"];
}

/// A wrapper without a mistake passes: no verdict is false.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binder_without_a_mistake_breaks_nothing() {
    let flawless: fn() -> Arc<dyn Flaw> = || Arc::new(Flawless);
    for (broker, flaw) in [
        (strong as fn() -> _, flawless),
        (strong, || Arc::new(Restarts)),
        (log, flawless),
        (bare, flawless),
    ] {
        let report = bite::run_flawless(broker, flaw).await;
        let failures: Vec<_> = report.failures().collect();
        assert!(failures.is_empty(), "{failures:?}");
        assert!(report.passed() > 150, "{}", report.passed());
    }
}

/// There is a broken binder for each rule of the contract.
#[test]
fn every_rule_is_broken_by_somebody() {
    let covered = covered();
    let rest = Rule::ALL.iter().filter(|rule| !covered.contains(rule));
    let rest: Vec<_> = rest.collect();
    // The framework is no binder: what only its cases show is a rule that the contract has not named yet.
    assert_eq!(rest, [&Rule::Framework]);
}
