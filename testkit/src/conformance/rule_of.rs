//! Which case shows which rule.

use super::{Case, Rule};

impl Case {
    /// The rule that the case shows.
    ///
    /// Where another one is broken that this rests on ([`Rule::rests_on`]), a failure says nothing about it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        rule_of(self.group(), self.name())
    }
}

/// The rule of a case: that of its name, or that of its group.
pub(crate) fn rule_of(group: &str, name: &str) -> Rule {
    match group {
        "publish" | "confirmations" => publish(name),
        "partitions" => partitions(name),
        "fidelity" => fidelity(name),
        "groups" => groups(name),
        "members" => members(name),
        "assignments" => Rule::Epochs,
        "receive" => receive(name),
        "settle" => settle(name),
        "attempts" => attempts(name),
        "positions" => positions(name),
        "order" => Rule::KeyOrder,
        "time" => time(name),
        "filters" => Rule::Filter,
        "dead_letters" => Rule::DeadLetter,
        "transactions" => transactions(name),
        "admin" => admin(name),
        "seeking" => Rule::Seek,
        "provisioning" => provisioning(name),
        "lifecycle" => lifecycle(name),
        "refusals" => Rule::Refusal,
        "suite" => Rule::Declared,
        "giving_up" | "unfit" => giving_up(name),
        _ => Rule::Framework,
    }
}

fn publish(name: &str) -> Rule {
    match name {
        "messages_of_one_call_arrive_in_order"
        | "messages_of_many_calls_arrive_in_order"
        | "overlapping_calls_are_stored_in_the_order_in_which_they_began" => Rule::Order,
        "a_result_for_each_message" | "a_result_belongs_to_its_message" => Rule::Results,
        "a_message_may_name_its_own_destination" => Rule::Destination,
        "a_receipt_says_where_the_message_is" => Rule::Receipt,
        "a_message_that_is_too_large_is_refused_alone" | "the_largest_message_arrives" => {
            Rule::MaxMessage
        }
        "a_closed_instance_publishes_nothing" => Rule::Closed,
        "what_stands_behind_a_failed_message_of_its_key_fails_too" => Rule::KeyFailsTogether,
        "closing_a_producer_waits_for_what_is_on_its_way"
        | "a_dropped_call_leaves_the_producer_usable"
        | "a_message_to_an_unknown_destination_is_stored_or_refused"
        | "an_unconfirmed_message_is_an_error_that_may_pass"
        | "nothing_is_stored_that_was_refused" => Rule::Confirmed,
        _ => Rule::Arrival,
    }
}

fn partitions(name: &str) -> Rule {
    match name {
        "an_assignment_names_every_partition" => Rule::Lanes,
        _ => Rule::Partition,
    }
}

fn fidelity(name: &str) -> Rule {
    match name {
        "payloads_arrive_byte_for_byte"
        | "an_empty_payload_is_not_a_tombstone"
        | "a_tombstone_arrives_as_one"
        | "a_payload_of_a_mebibyte_arrives" => Rule::Payload,
        "keys_arrive_byte_for_byte" | "a_message_without_a_key_has_none" => Rule::Key,
        "headers_keep_order_and_repetitions"
        | "binary_header_values_arrive"
        | "unicode_headers_arrive"
        | "header_names_are_case_sensitive"
        | "a_header_of_64_kib_arrives"
        | "a_hundred_headers_arrive"
        | "no_header_appears_that_nobody_wrote"
        | "headers_of_the_framework_arrive" => Rule::Headers,
        "every_group_gets_the_same_message" | "a_redelivered_message_is_unchanged" => {
            Rule::Unchanged
        }
        "a_message_has_an_id_that_redelivery_keeps" => Rule::StableIds,
        _ => Rule::Properties,
    }
}

fn groups(name: &str) -> Rule {
    match name {
        "every_group_gets_every_message"
        | "groups_do_not_disturb_each_other"
        | "one_group_name_on_two_destinations_is_two_groups" => Rule::Copies,
        "members_of_a_group_share_without_duplicates" => Rule::Shared,
        "a_group_goes_on_where_it_was"
        | "a_group_keeps_what_is_published_while_nobody_reads"
        | "a_group_outlives_the_instance_that_made_it" => Rule::Progress,
        "a_group_keeps_a_message_while_nobody_reads" => Rule::Kept,
        "one_consumer_reads_several_destinations"
        | "a_busy_destination_does_not_starve_another" => Rule::Destinations,
        "a_group_may_begin_at_a_time" | "a_group_may_begin_at_a_position" => Rule::Seek,
        other if other.contains("anonymous") => Rule::Anonymous,
        _ => Rule::Start,
    }
}

fn members(name: &str) -> Rule {
    match name {
        "what_a_member_had_goes_to_another_when_it_leaves"
        | "what_a_crashed_member_had_goes_to_another" => Rule::Unsettled,
        "what_a_member_settled_does_not_go_to_another" => Rule::Settled,
        _ => Rule::Members,
    }
}

fn receive(name: &str) -> Rule {
    match name {
        "the_first_event_is_an_assignment" => Rule::Assignment,
        "no_more_is_handed_over_than_was_asked_for" | "records_are_appended_to_what_is_there" => {
            Rule::Handover
        }
        "a_dropped_receive_loses_nothing" | "a_receive_dropped_at_any_wait_loses_nothing" => {
            Rule::CancelSafe
        }
        "a_waiting_receive_is_woken_by_a_message" => Rule::Woken,
        "receiving_and_settling_go_on_at_the_same_time"
        | "a_waiting_receive_does_not_hold_up_settling" => Rule::Halves,
        "who_does_not_receive_for_a_while_keeps_what_it_has" => Rule::Alive,
        "closing_the_instance_ends_a_waiting_receive" => Rule::Closed,
        other if other.contains("window") => Rule::Window,
        _ => Rule::Pause,
    }
}

fn settle(name: &str) -> Rule {
    match name {
        "an_unsettled_message_comes_again" | "what_is_below_a_settled_message_comes_again" => {
            Rule::Unsettled
        }
        "a_released_message_comes_again" => Rule::Release,
        "a_second_settlement_is_harmless" | "a_release_after_an_acknowledgement_is_refused" => {
            Rule::SettledOnce
        }
        "settling_nothing_is_no_error"
        | "a_settlement_of_an_unknown_lane_is_refused"
        | "what_fails_in_a_call_is_named_and_the_rest_takes_effect" => Rule::SettleResults,
        "a_settlement_of_an_older_assignment_is_lost"
        | "a_settlement_after_the_close_takes_no_effect"
        | "a_stale_settlement_does_not_touch_the_new_owner" => Rule::Fence,
        _ => Rule::Settled,
    }
}

fn attempts(name: &str) -> Rule {
    match name {
        "deliveries_are_counted" => Rule::DeliveryCount,
        "a_deadline_can_be_extended" => Rule::Extend,
        "attempts_come_back_with_the_message" | "attempts_survive_the_instance" => Rule::Attempts,
        _ => Rule::Hold,
    }
}

fn positions(name: &str) -> Rule {
    match name {
        "a_group_goes_on_at_the_committed_position" => Rule::Commit,
        "single_messages_cannot_be_settled"
        | "positions_cannot_be_committed_where_messages_are_settled" => Rule::SettleStyle,
        _ => Rule::Notes,
    }
}

fn time(name: &str) -> Rule {
    match name {
        "a_delayed_release_is_not_early_and_comes_again"
        | "a_delayed_release_outlives_the_instance" => Rule::DelayedRedelivery,
        "the_end_of_a_message_arrives_with_it" => Rule::Expiry,
        other if other.contains("priority") => Rule::Priority,
        _ => Rule::DelayedDelivery,
    }
}

fn transactions(name: &str) -> Rule {
    match name {
        "nothing_is_seen_before_the_commit" => Rule::Isolation,
        "an_aborted_step_leaves_nothing"
        | "an_output_without_a_destination_must_be_aborted"
        | "a_dropped_step_is_aborted"
        | "an_abort_forgets_only_the_open_step" => Rule::Abort,
        "a_consumer_that_has_left_is_fenced" | "a_lost_lane_refuses_the_step" => Rule::StepFence,
        "an_unconfirmed_commit_is_found_out_by_repeating_it" => Rule::StepConfirmed,
        _ => Rule::Atomic,
    }
}

fn admin(name: &str) -> Rule {
    match name {
        "destinations_are_listed"
        | "a_list_shows_partitions"
        | "groups_are_listed_with_their_members" => Rule::Listing,
        "browsing_shows_everything_and_consumes_nothing"
        | "a_cursor_goes_on_with_what_is_new"
        | "a_message_that_is_marked_is_shown_as_handled" => Rule::Browse,
        "purging_removes_what_is_there" | "a_deleted_destination_is_gone" => Rule::Removal,
        "what_is_not_there_is_not_found" => Rule::NotFound,
        _ => Rule::Lag,
    }
}

fn provisioning(name: &str) -> Rule {
    if name == "verifying_what_is_there_is_quiet" {
        return Rule::Provision;
    }
    if name.starts_with("verifying") || name == "nothing_is_touched_where_that_is_asked_for" {
        Rule::Verify
    } else {
        Rule::Provision
    }
}

fn lifecycle(name: &str) -> Rule {
    match name {
        "an_open_instance_is_up"
        | "a_closed_instance_is_down"
        | "health_follows_the_connection" => Rule::Health,
        "instances_on_one_broker_see_each_other" => Rule::Arrival,
        "a_consumer_can_be_opened_and_closed_again_and_again" => Rule::Progress,
        "capabilities_do_not_contradict_each_other" => Rule::Declared,
        other if other.contains("cut") => Rule::Reconnect,
        other if other.contains("restart") => Rule::Durable,
        _ => Rule::Closed,
    }
}

fn giving_up(name: &str) -> Rule {
    match name {
        "a_failed_dead_letter_keeps_its_source" => Rule::LastResort,
        _ => Rule::Framework,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::conformance::{Case, Suite};

    /// The texts in quotes of this file that look like names of cases.
    fn named() -> BTreeSet<&'static str> {
        let source = include_str!("rule_of.rs");
        let source = source.split("mod tests {").next().unwrap_or_default();
        let quoted = source.split('"').skip(1).step_by(2);
        quoted
            .filter(|text| text.matches('_').count() > 1)
            .collect()
    }

    #[test]
    fn every_case_that_is_named_here_is_there() {
        let suite = Suite::new();
        let there: BTreeSet<_> = suite.cases().iter().map(Case::name).collect();
        let lost: Vec<_> = named().difference(&there).copied().collect();
        assert!(lost.is_empty(), "no case is called so: {lost:?}");
    }
}
