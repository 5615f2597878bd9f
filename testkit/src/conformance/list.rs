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
                overlapping_calls_are_stored_in_the_order_in_which_they_began,
                a_result_for_each_message,
                concurrent_producers_lose_nothing,
                one_producer_serves_many_tasks,
                a_message_may_name_its_own_destination,
                a_receipt_says_where_the_message_is,
                a_closed_instance_publishes_nothing,
                closing_a_producer_waits_for_what_is_on_its_way,
                a_dropped_call_leaves_the_producer_usable,
                messages_of_many_calls_arrive_in_order,
            }
            confirmations {
                a_message_that_is_too_large_is_refused_alone,
                the_largest_message_arrives,
                what_stands_behind_a_failed_message_of_its_key_fails_too,
                an_unconfirmed_message_is_an_error_that_may_pass,
                nothing_is_stored_that_was_refused,
                a_result_belongs_to_its_message,
                a_message_to_an_unknown_destination_is_stored_or_refused,
            }
            partitions {
                an_explicit_partition_is_kept,
                a_key_always_goes_to_the_same_partition,
                keys_are_spread_over_the_partitions,
                a_partition_that_is_not_there_is_refused,
                an_assignment_names_every_partition,
                each_partition_keeps_its_order,
            }
            fidelity {
                payloads_arrive_byte_for_byte,
                an_empty_payload_is_not_a_tombstone,
                a_tombstone_arrives_as_one,
                a_payload_of_a_mebibyte_arrives,
                keys_arrive_byte_for_byte,
                a_message_without_a_key_has_none,
                headers_keep_order_and_repetitions,
                binary_header_values_arrive,
                unicode_headers_arrive,
                header_names_are_case_sensitive,
                a_header_of_64_kib_arrives,
                a_hundred_headers_arrive,
                no_header_appears_that_nobody_wrote,
                headers_of_the_framework_arrive,
                the_content_type_arrives,
                a_message_without_a_content_type_has_none,
                the_id_arrives,
                the_timestamp_arrives_to_the_millisecond,
                correlation_and_reply_address_arrive,
                the_trace_context_arrives,
                every_group_gets_the_same_message,
                a_redelivered_message_is_unchanged,
                a_message_has_an_id_that_redelivery_keeps,
            }
            groups {
                every_group_gets_every_message,
                groups_do_not_disturb_each_other,
                one_group_name_on_two_destinations_is_two_groups,
                members_of_a_group_share_without_duplicates,
                a_group_goes_on_where_it_was,
                a_group_keeps_what_is_published_while_nobody_reads,
                a_group_outlives_the_instance_that_made_it,
                a_group_keeps_a_message_while_nobody_reads,
                a_group_made_beforehand_misses_nothing,
                a_group_made_beforehand_misses_nothing_even_from_the_latest,
                a_late_group_begins_at_the_earliest,
                a_late_group_may_begin_at_the_latest,
                a_start_does_not_move_a_known_group,
                a_group_may_begin_at_a_time,
                a_group_may_begin_at_a_position,
                anonymous_readers_get_a_copy_each,
                an_anonymous_reader_gets_only_what_is_new,
                an_anonymous_reader_that_left_misses_what_was_sent_meanwhile,
                an_anonymous_group_leaves_nothing_behind,
                one_consumer_reads_several_destinations,
                a_busy_destination_does_not_starve_another,
            }
            members {
                what_a_member_had_goes_to_another_when_it_leaves,
                what_a_crashed_member_had_goes_to_another,
                what_a_member_settled_does_not_go_to_another,
                members_that_come_and_go_lose_nothing,
                partitions_are_shared_out,
                partitions_of_a_member_that_leaves_are_taken_over,
                a_member_too_many_waits_in_reserve,
                a_lane_that_is_to_be_given_up_can_be_settled_until_then,
                lost_lanes_are_reported_and_come_back,
            }
            assignments {
                a_late_settlement_does_not_count_for_another_lane_of_its_number,
                lanes_that_are_lost_again_and_again_have_other_numbers_each_time,
            }
            receive {
                the_first_event_is_an_assignment,
                no_more_is_handed_over_than_was_asked_for,
                records_are_appended_to_what_is_there,
                a_dropped_receive_loses_nothing,
                a_waiting_receive_is_woken_by_a_message,
                receiving_and_settling_go_on_at_the_same_time,
                a_receive_dropped_at_any_wait_loses_nothing,
                a_waiting_receive_does_not_hold_up_settling,
                who_does_not_receive_for_a_while_keeps_what_it_has,
                the_window_bounds_what_is_unsettled,
                a_settlement_wakes_a_reader_whose_window_was_full,
                closing_the_instance_ends_a_waiting_receive,
                a_paused_lane_is_silent_until_it_is_resumed,
                what_was_handed_over_before_a_pause_can_be_settled,
                a_paused_reader_keeps_its_place_in_the_group,
            }
            settle {
                an_acknowledged_message_does_not_come_again,
                an_acknowledgement_holds_when_the_consumer_crashes,
                an_unsettled_message_comes_again,
                what_is_below_a_settled_message_comes_again,
                a_hundred_messages_are_settled_in_one_call,
                settling_nothing_is_no_error,
                messages_are_settled_in_any_order,
                a_released_message_comes_again,
                a_discarded_message_does_not_come_again,
                a_second_settlement_is_harmless,
                a_release_after_an_acknowledgement_is_refused,
                a_settlement_of_an_unknown_lane_is_refused,
                a_settlement_of_an_older_assignment_is_lost,
                a_settlement_after_the_close_takes_no_effect,
                a_stale_settlement_does_not_touch_the_new_owner,
                what_fails_in_a_call_is_named_and_the_rest_takes_effect,
                a_lost_acknowledgement_means_another_delivery,
            }
            attempts {
                attempts_come_back_with_the_message,
                attempts_survive_the_instance,
                a_hold_is_remembered_for_whoever_comes_next,
                a_held_message_stays_with_its_consumer,
                a_release_ends_a_hold,
                deliveries_are_counted,
                a_deadline_can_be_extended,
            }
            positions {
                a_group_goes_on_at_the_committed_position,
                a_position_can_be_committed_again_with_other_notes,
                what_is_saved_goes_with_a_commit_that_saves_nothing,
                as_much_can_be_saved_as_is_declared_and_no_more,
                single_messages_cannot_be_settled,
                positions_cannot_be_committed_where_messages_are_settled,
            }
            order {
                a_key_keeps_its_order_through_a_new_consumer,
                a_released_message_comes_before_the_rest_of_its_key,
                a_key_waits_while_its_head_is_out_and_others_go_on,
                a_key_is_with_one_member_at_a_time,
                a_delayed_message_keeps_its_key_waiting,
                keys_keep_their_order_while_members_come_and_go,
            }
            time {
                a_delayed_message_is_not_early_and_arrives,
                delays_of_different_length_end_in_their_order,
                a_time_in_the_past_delays_nothing,
                a_delayed_message_waits_while_nobody_reads,
                a_delayed_release_is_not_early_and_comes_again,
                a_delayed_release_outlives_the_instance,
                the_end_of_a_message_arrives_with_it,
                a_higher_priority_comes_first,
                the_priority_arrives_with_its_message,
                a_priority_out_of_range_is_refused,
            }
            filters {
                a_filter_lets_through_what_matches,
                what_a_filter_passes_over_is_done_with,
                a_filter_of_one_group_does_not_touch_another,
                a_filter_that_cannot_be_read_is_refused,
            }
            dead_letters {
                a_dead_letter_is_moved_with_everything,
                a_dead_letter_is_done_with_at_its_source,
                a_dead_letter_of_one_group_stays_with_the_other,
            }
            transactions {
                a_step_takes_effect_as_a_whole,
                nothing_is_seen_before_the_commit,
                an_aborted_step_leaves_nothing,
                a_dropped_step_is_aborted,
                an_abort_forgets_only_the_open_step,
                steps_follow_each_other,
                outputs_to_several_destinations_are_one_step,
                an_empty_step_commits,
                an_output_without_a_destination_must_be_aborted,
                an_output_that_is_refused_refuses_the_step,
                a_consumer_that_has_left_is_fenced,
                a_lost_lane_refuses_the_step,
                an_unconfirmed_commit_is_found_out_by_repeating_it,
            }
            admin {
                destinations_are_listed,
                a_list_shows_partitions,
                groups_are_listed_with_their_members,
                lag_counts_what_is_not_settled,
                lag_is_counted_while_nobody_reads,
                lag_counts_what_is_delayed,
                the_age_of_the_oldest_grows,
                browsing_shows_everything_and_consumes_nothing,
                a_cursor_goes_on_with_what_is_new,
                a_message_that_is_marked_is_shown_as_handled,
                purging_removes_what_is_there,
                a_deleted_destination_is_gone,
                what_is_not_there_is_not_found,
            }
            seeking {
                a_group_reads_again_from_the_earliest,
                a_group_is_moved_to_the_end,
                a_group_is_moved_to_a_position,
                a_group_is_moved_to_a_time,
                moving_one_group_leaves_the_others,
                a_consumer_moves_its_lane,
                what_was_delivered_before_a_move_can_be_settled,
            }
            provisioning {
                what_is_missing_is_made_once,
                what_is_there_keeps_its_messages,
                a_difference_is_reported_and_left,
                verifying_names_everything_that_is_missing,
                verifying_makes_nothing,
                verifying_a_missing_group_is_refused,
                verifying_what_is_there_is_quiet,
                verifying_a_difference_is_refused,
                nothing_is_touched_where_that_is_asked_for,
                no_partitions_are_refused,
            }
            lifecycle {
                an_open_instance_is_up,
                a_closed_instance_is_down,
                closing_twice_is_harmless,
                a_closed_instance_opens_nothing,
                closing_an_instance_gives_its_messages_back,
                closing_an_instance_leaves_the_others,
                instances_on_one_broker_see_each_other,
                a_consumer_can_be_opened_and_closed_again_and_again,
                capabilities_do_not_contradict_each_other,
                health_follows_the_connection,
                publishing_while_cut_off_fails_for_a_while,
                subscribing_while_cut_off_fails_for_a_while,
                what_was_unsettled_at_a_cut_comes_again,
                a_cut_is_noticed_while_a_consumer_waits,
                messages_survive_a_restart_of_the_broker,
                settlements_survive_a_restart_of_the_broker,
                a_delay_survives_a_restart_of_the_broker,
            }
            refusals {
                a_filter,
                an_anonymous_group,
                a_start_at_a_time_or_position,
                a_move_of_a_lane,
                a_move_of_a_group,
                several_partitions,
                a_message_for_a_partition,
                a_message_that_is_due_later,
                a_message_that_ends,
                a_message_with_a_priority,
                a_delayed_release,
                a_dead_letter_of_the_broker,
                an_extension,
                a_transaction,
                browsing,
                lag,
                a_count_of_deliveries,
                attempts_that_are_not_recorded,
                notes_beside_a_position,
                a_native_option_that_is_not_known,
                a_subscription_to_nothing,
            }
            retry {
                a_failed_message_is_tried_again_and_then_handled,
                one_attempt_is_one_call,
                five_attempts_are_five_calls,
                a_panic_is_a_failure,
                a_call_that_takes_too_long_is_a_failure,
                others_go_on_while_one_waits_for_its_retry,
                a_key_waits_for_its_retry,
                a_delayed_attempt_is_not_early_where_order_is_kept,
                a_delayed_attempt_is_not_early_where_no_order_is_kept,
                a_key_keeps_its_order_through_a_delayed_attempt,
                a_handler_chooses_its_own_delay,
                attempts_are_counted_through_a_restart_of_the_service,
            }
            giving_up {
                a_dead_letter_tells_its_story,
                a_dead_letter_keeps_all_of_its_message,
                a_dead_letter_may_go_elsewhere,
                a_rejected_message_is_not_tried_again,
                a_discarded_message_leaves_nothing,
                an_exhausted_message_may_be_discarded,
                an_exhausted_message_may_stop_its_binding,
                an_exhausted_message_may_be_given_back,
                a_failed_dead_letter_keeps_its_source,
                a_dead_letter_is_published_when_that_is_possible_again,
                a_dead_letter_that_is_sent_back_is_handled,
            }
            unfit {
                an_undecodable_message_is_a_dead_letter_at_once,
                an_expired_message_is_not_handled,
                a_payload_over_the_limit_of_the_binding_is_not_handled,
                a_message_without_a_key_may_be_refused,
            }
            outputs {
                outputs_are_published,
                outputs_carry_trace_and_correlation,
                several_outputs_of_one_message_keep_their_order,
                no_output_publishes_nothing_and_settles,
                outputs_go_to_several_destinations,
                outputs_of_a_key_keep_the_order_of_their_inputs,
                an_output_is_repeated_without_calling_the_handler_again,
                an_output_that_was_not_confirmed_is_repeated,
                an_input_is_not_done_with_before_its_output_is_confirmed,
                an_output_has_the_same_id_when_its_input_comes_again,
                a_chain_of_listeners_delivers_everything,
                an_output_may_be_sent_from_outside_a_handler,
                a_source_publishes,
            }
            handling {
                every_message_is_handled_once,
                no_more_handlers_run_than_were_allowed,
                a_key_keeps_its_order_with_many_handlers,
                a_partition_keeps_its_order_with_many_handlers,
                services_of_one_name_share_the_work,
                services_of_different_names_get_everything,
                an_anonymous_service_gets_a_copy,
                several_destinations_feed_one_listener,
                the_broker_filters_for_a_listener,
                counters_tell_what_has_happened,
                keys_keep_their_order_though_handlers_fail,
            }
            batches {
                batches_contain_everything_once,
                only_items_that_failed_are_tried_again,
                an_undecodable_item_fails_alone,
            }
            stopping {
                a_stop_finishes_what_is_in_flight,
                a_stop_hands_back_what_has_not_begun,
                stopping_in_the_middle_loses_and_repeats_nothing,
                crashing_in_the_middle_loses_nothing,
                a_crash_in_a_handler_delivers_again,
                a_paused_binding_takes_nothing_in,
                a_stopped_binding_goes_on_where_it_was,
                services_that_come_and_go_lose_nothing,
            }
            trouble {
                a_service_goes_on_after_a_cut,
                a_service_waits_for_a_broker_that_is_away_at_its_start,
                cuts_in_the_middle_lose_nothing,
                a_service_goes_on_after_its_lanes_were_lost,
                a_service_goes_on_after_a_restart_of_the_broker,
                trouble_of_every_kind_loses_nothing,
            }
            effects {
                a_message_that_is_published_twice_has_one_effect,
                a_message_is_known_by_a_header,
                a_message_that_is_delivered_twice_has_one_effect,
                a_message_is_known_after_a_restart_of_the_service,
                outputs_and_settlement_are_one_step,
                a_step_that_was_not_confirmed_has_one_effect,
                crashes_leave_one_effect_each,
                lost_lanes_leave_one_effect_each,
                a_cut_leaves_one_effect_each,
            }
            starting {
                a_filter_is_refused,
                an_anonymous_group_is_refused,
                a_start_at_a_position_is_refused,
                exactly_once_is_refused,
                order_by_partition_is_refused,
                order_by_key_is_refused,
                giving_back_is_refused,
                idempotency_by_id_is_refused,
                a_delay_longer_than_the_broker_waits_is_refused,
                a_service_does_not_start_where_something_is_missing,
                a_service_makes_what_it_needs,
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
