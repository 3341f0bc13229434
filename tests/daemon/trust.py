"""What the loop is trusted for: each failure that users of other consumers reported, and its tests.

S: stops, L: leases, K: stuck or deaf, P: poison, C: cost. `test_trust.py` holds the table to the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LAST: Mapping[str, int] = {"S": 11, "L": 15, "K": 13, "P": 7, "C": 6}
"""How many there are of each kind."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What we hold to, the tests that show it, and what of it does not apply to us, with the reason."""

    what: str
    tests: tuple[str, ...] = ()
    not_ours: str = ""


TRUST: Mapping[str, Promise] = {
    "S1": Promise(
        "What a poll brings that was open at a stop is worked on or there for others at once.",
        (
            "daemon/test_polling.py::test_a_message_that_comes_when_the_loop_stops_is_given_back",
            "daemon/test_shutdown.py::test_a_message_that_comes_into_an_open_poll_after_the_signal_is_not_stranded",
        ),
    ),
    "S2": Promise(
        "Nothing is fetched that no handler is free for.",
        (
            "daemon/test_polling.py::test_the_loop_asks_only_for_as_many_messages_as_there_are_places",
            "daemon/test_shutdown.py::test_what_was_begun_is_finished_and_what_was_not_is_left_to_others",
        ),
    ),
    "S3": Promise(
        "A restart costs no message one of its receives.",
        (
            "daemon/test_polling.py::test_what_was_received_before_the_stop_is_worked_on",
            "daemon/test_polling.py::test_under_load_nothing_is_given_back_at_a_stop",
            "daemon/test_shutdown.py::test_restarts_in_the_middle_of_work_send_nothing_to_the_dead_letters",
        ),
    ),
    "S4": Promise(
        "Deletions that wait are made before the end, however few.",
        (
            "daemon/test_settling.py::test_seven_finished_messages_are_deleted_in_one_call",
            "daemon/test_shutdown.py::test_what_was_begun_is_finished_and_what_was_not_is_left_to_others",
            "daemon/test_stopping.py::test_a_stop_deletes_the_seven_messages_that_wait_for_it",
        ),
    ),
    "S5": Promise(
        "A handler that hangs cannot keep a process; a second signal ends it at once.",
        (
            "daemon/test_polling.py::test_a_handler_that_listens_stops_at_its_next_checkpoint",
            "daemon/test_shutdown.py::test_a_handler_that_listens_is_called_off_before_the_drain_ends",
            "daemon/test_shutdown.py::test_a_handler_that_hangs_is_left_behind_and_its_message_made_visible",
            "daemon/test_shutdown.py::test_a_second_signal_ends_it_at_once_and_a_third_does_no_harm",
        ),
    ),
    "S6": Promise(
        "Idle consumers stop side by side, within one poll.",
        ("daemon/test_stopping.py::test_idle_consumers_stop_within_one_poll_however_many_there_are",),
    ),
    "S7": Promise(
        "While a process drains, what it works on stays its own.",
        (
            "daemon/test_leases.py::test_a_drain_three_times_the_visibility_keeps_the_message",
            "daemon/test_lease_machine.py::LeaseMachine",
        ),
    ),
    "S8": Promise(
        "A cancel is seen while a process drains.",
        (
            "daemon/test_shutdown.py::test_what_a_person_wishes_while_a_process_drains_is_still_seen",
            "stages/test_claims.py::test_a_cancel_is_noticed_between_two_files",
        ),
    ),
    "S9": Promise(
        "After a stop nobody polls, and no loop is ever doubled.",
        (
            "daemon/test_stopping.py::test_after_a_stop_nobody_polls_any_more",
            "daemon/test_stopping.py::test_a_worker_is_started_once_and_its_threads_are_as_many_as_its_places",
        ),
        not_ours="There is no start after a stop: a process is started anew.",
    ),
    "S10": Promise(
        "A stop counts as no failure.",
        (
            "daemon/test_polling.py::test_a_handler_that_listens_stops_at_its_next_checkpoint",
            "daemon/test_shutdown.py::test_what_was_begun_is_finished_and_what_was_not_is_left_to_others",
            "stages/test_recovery.py::test_a_stop_in_the_middle_of_work_counts_as_no_failure",
        ),
    ),
    "S11": Promise(
        "A process killed at any instant loses nothing and buys nothing twice.",
        (
            "e2e/test_survival.py::test_consumers_killed_at_random_instants_lose_nothing_and_buy_nothing_twice",
            "e2e/test_every_call.py::test_a_consumer_killed_at_any_call_is_followed_by_one_that_ends_in_the_same_rows_and_jobs",
            "stages/test_crashes.py::test_a_crash_anywhere_on_a_way_that_ends_badly_changes_nothing",
        ),
    ),
    "L1": Promise(
        "Work longer than the visibility is delivered once.",
        (
            "daemon/test_leases.py::test_work_ten_times_as_long_as_the_visibility_is_delivered_once",
            "daemon/test_leases.py::test_beats_are_jittered",
            "daemon/test_lease_machine.py::LeaseMachine",
        ),
    ),
    "L2": Promise(
        "What waits for a handler does not expire.",
        ("daemon/test_leases.py::test_a_message_is_kept_from_receipt_on_though_no_handler_has_begun",),
    ),
    "L3": Promise(
        "Beats and deletions do not get in each other's way.",
        (
            "daemon/test_interleaving.py::test_a_deletion_waits_for_the_beat_that_is_under_way",
            "daemon/test_interleaving.py::test_a_thousand_messages_among_beats_without_end_raise_no_error",
            "daemon/test_leases.py::test_no_beat_follows_a_deletion",
        ),
    ),
    "L4": Promise(
        "Beats that fail too long call the work off, and nothing of it is committed.",
        (
            "daemon/test_leases.py::test_beats_that_fail_too_long_call_the_work_off",
            "daemon/test_leases.py::test_one_failed_beat_is_repeated_in_time",
            "daemon/test_leases.py::test_a_message_sqs_extends_no_more_is_lost",
            "daemon/test_leases.py::test_a_lease_another_took_calls_the_work_off",
            "contracts/test_store_batches.py::test_writes_of_a_batch_whose_lease_was_taken_over_raise",
            "daemon/test_lease_machine.py::LeaseMachine",
        ),
    ),
    "L5": Promise(
        "What is given back for later does not come early.",
        ("daemon/test_leases.py::test_beats_go_on_until_sqs_has_heard_when_the_message_shall_come_again",),
    ),
    "L6": Promise(
        "Nothing is held beyond SQS's twelve hours.",
        (
            "daemon/test_leases.py::test_no_extension_reaches_beyond_twelve_hours",
            "daemon/test_leases.py::test_later_is_cut_to_what_is_left_of_the_twelve_hours",
            "contracts/test_mailbox.py::test_no_more_than_twelve_hours_in_total",
        ),
    ),
    "L7": Promise(
        "A receipt that is no longer good ends nothing.",
        ("daemon/test_leases.py::test_a_refused_deletion_is_counted_and_the_loop_goes_on",),
    ),
    "L8": Promise(
        "A deletion is repeated with the newest receipt.",
        (
            "daemon/test_leases.py::test_a_failed_deletion_is_repeated_with_the_newest_receipt",
            "daemon/test_leases.py::test_what_waits_for_its_deletion_is_still_kept",
            "contracts/test_mailbox.py::test_an_old_receipt_deletes_nothing_and_says_nothing",
            "daemon/test_lease_machine.py::LeaseMachine",
        ),
    ),
    "L9": Promise(
        "A message stands once in a call.",
        (
            "daemon/test_leases.py::test_a_message_delivered_twice_is_deleted_in_one_call",
            "contracts/test_mailbox.py::test_the_same_receipt_twice_is_no_fault",
        ),
    ),
    "L10": Promise(
        "What is done and comes again is deleted.",
        (
            "daemon/test_leases.py::test_a_failed_deletion_is_repeated_with_the_newest_receipt",
            "daemon/test_lease_machine.py::LeaseMachine",
        ),
    ),
    "L11": Promise(
        "Observers cannot change a message.",
        not_ours="Nothing hooks into a message: metrics and logs hear of outcomes once they are settled. "
        "K2 shows that they may break.",
    ),
    "L12": Promise(
        "Calls end before the visibility does.",
        ("daemon/test_clients.py::test_calls_end_soon_enough_to_be_repeated_before_a_message_is_lost",),
        not_ours="The visibility is no less than four times the timeout of a call from 8 s on.",
    ),
    "L13": Promise(
        "What a dead process had begun is begun again once its lease has run out.",
        (
            "contracts/test_store_leases.py::test_a_lease_that_ran_out_is_taken_over_and_lost",
            "stages/test_repetition.py::test_a_crash_after_any_single_call_ends_in_the_same_rows_and_jobs",
        ),
    ),
    "L14": Promise(
        "The same id with other content is refused.",
        (
            "stages/test_refusals.py::test_a_request_id_with_other_content_is_refused_and_told_what_differs",
            "stages/test_hostile.py::test_the_same_name_for_another_request_is_refused_and_told_what_differs",
        ),
    ),
    "L15": Promise(
        "Events twice and in any order end in the same rows.",
        (
            "stages/test_event_orders.py::test_doubled_shuffled_and_foreign_events_end_in_the_rows_of_a_quiet_day",
            "stages/test_event_orders.py::test_any_events_between_any_steps_of_the_jobs_end_in_the_same_rows",
            "stages/test_event_orders.py::test_events_backwards_end_in_the_same_rows_on_either_database",
        ),
    ),
    "K1": Promise(
        "No error leaks a place.",
        (
            "daemon/test_polling.py::test_no_error_at_any_call_leaks_a_place_or_ends_the_loop",
            "daemon/test_polling.py::test_whatever_a_stage_raises_the_message_comes_again_and_the_place_is_free",
        ),
    ),
    "K2": Promise(
        "No error ends the loop.",
        (
            "daemon/test_many_messages.py::test_a_listener_that_raises_ends_no_loop_and_the_message_comes_again",
            "daemon/test_polling.py::test_no_error_at_any_call_leaks_a_place_or_ends_the_loop",
            "daemon/test_polling.py::test_whatever_a_stage_raises_the_message_comes_again_and_the_place_is_free",
        ),
    ),
    "K3": Promise(
        "A call that is never answered ends by itself.",
        (
            "contracts/test_mailbox.py::test_a_call_that_is_never_answered_ends_by_itself_and_the_next_one_works",
        ),
    ),
    "K4": Promise(
        "A queue that is not there is asked less and less.",
        (
            "daemon/test_polling.py::test_polls_that_fail_come_slower_and_slower",
            "daemon/test_shutdown.py::test_a_message_is_handled_soon_after_the_endpoint_is_back",
        ),
    ),
    "K5": Promise(
        "A queue that is back is polled again without a restart.",
        (
            "daemon/test_polling.py::test_the_first_poll_that_works_ends_the_backoff",
            "daemon/test_shutdown.py::test_a_message_is_handled_soon_after_the_endpoint_is_back",
        ),
    ),
    "K6": Promise(
        "Credentials are fetched anew, and expired ones end nothing.",
        ("daemon/test_clients.py::test_credentials_that_have_expired_are_fetched_anew_and_end_nothing",),
    ),
    "K7": Promise(
        "A missing queue is told at the start, and ends it.",
        (
            "daemon/test_shutdown.py::test_a_missing_queue_ends_the_start_with_one_clear_line",
            "contracts/test_mailbox.py::test_a_missing_queue_is_named",
        ),
    ),
    "K8": Promise(
        "Every thread has a connection.",
        ("daemon/test_clients.py::test_every_thread_of_a_process_has_a_connection",),
    ),
    "K9": Promise(
        "All places busy is alive.",
        (
            "daemon/test_polling.py::test_all_places_busy_is_alive",
            "daemon/test_polling.py::test_a_loop_that_was_told_to_stop_is_alive_while_its_work_ends_but_no_longer_than_its_drain",
            "daemon/test_systemd.py::test_signs_of_life_come_while_every_place_is_busy_and_end_when_the_loop_is_wedged",
        ),
    ),
    "K10": Promise(
        "A loop that does not turn is not alive.",
        (
            "daemon/test_polling.py::test_a_poller_that_no_longer_turns_is_not_alive",
            "daemon/test_systemd.py::test_signs_of_life_come_while_every_place_is_busy_and_end_when_the_loop_is_wedged",
        ),
    ),
    "K11": Promise(
        "Places add up at every moment.",
        (
            "daemon/test_lease_machine.py::LeaseMachine",
            "daemon/test_loop_machine.py::LoopMachine",
        ),
    ),
    "K12": Promise(
        "A slow message blocks no other.",
        ("daemon/test_interleaving.py::test_one_message_that_takes_long_holds_up_nobody",),
    ),
    "K13": Promise(
        "A handler that hangs is seen.",
        ("daemon/test_many_messages.py::test_a_handler_that_hangs_shows_in_the_age_of_the_oldest",),
        not_ours="A stage has no deadline, since files take as long as they take: nothing is killed. "
        "The gauge has an alert, `MessageStuck`.",
    ),
    "P1": Promise(
        "What nobody can read is buried at once, with the reason.",
        (
            "daemon/test_settling.py::test_a_body_that_can_never_work_is_buried_at_once_with_the_reason",
            "daemon/test_settling.py::test_a_sender_hears_of_an_unreadable_request_that_names_itself",
            "e2e/test_hostile.py::test_two_hundred_hostile_messages_are_buried_while_a_good_batch_goes_through",
            "contracts/test_mailbox.py::test_a_dead_letter_keeps_body_and_reason",
        ),
    ),
    "P2": Promise(
        "Each kind of error has one end.",
        ("daemon/test_settling.py::test_each_outcome_has_one_end",),
    ),
    "P3": Promise(
        "A sick dependency is asked less and less.",
        ("daemon/test_settling.py::test_a_sick_dependency_is_asked_less_and_less",),
    ),
    "P4": Promise(
        "An outage sends nothing to the dead letters.",
        (
            "daemon/test_settling.py::test_while_a_dependency_is_down_messages_keep_their_receives",
            "daemon/test_settling.py::test_one_message_that_keeps_failing_holds_up_nobody",
        ),
    ),
    "P5": Promise(
        "A receive that counts reaches a handler.",
        ("daemon/test_many_messages.py::test_every_receive_reaches_a_handler",),
    ),
    "P6": Promise(
        "A dead letter is sent once.",
        ("daemon/test_many_messages.py::test_a_dead_letter_is_sent_once_although_its_deletion_fails",),
    ),
    "P7": Promise(
        "Dead letters can be looked at and sent back.",
        (
            "cli/test_dead_letters.py::test_listing_tells_why_and_takes_nothing_away",
            "cli/test_dead_letters.py::test_redriving_takes_only_the_chosen",
            "cli/test_dead_letters.py::test_a_dry_run_moves_nothing",
            "cli/test_dead_letters.py::test_a_redrive_that_is_killed_loses_no_message",
        ),
    ),
    "C1": Promise(
        "An idle queue is asked three times a minute.",
        ("daemon/test_polling.py::test_an_idle_hour_takes_no_more_than_three_receives_a_minute",),
    ),
    "C2": Promise(
        "Memory does not grow with the messages.",
        (
            "daemon/test_many_messages.py::test_nothing_is_kept_of_messages_that_are_done_with",
            "daemon/test_polling.py::test_the_loop_asks_only_for_as_many_messages_as_there_are_places",
        ),
        not_ours="The slope of memory over many messages is a figure of `make bench NAME=loop`.",
    ),
    "C3": Promise(
        "No timer drives the loop.",
        ("daemon/test_many_messages.py::test_no_timer_drives_the_loop_while_there_are_messages",),
    ),
    "C4": Promise(
        "A message is begun as soon as it is there.",
        ("daemon/test_many_messages.py::test_no_timer_drives_the_loop_while_there_are_messages",),
    ),
    "C5": Promise(
        "Entries that fail in a call that succeeds are seen, each by its code.",
        (
            "daemon/test_settling.py::test_followers_that_failed_within_an_answered_call_are_sent_again",
            "daemon/test_settling.py::test_a_follower_that_can_never_be_sent_is_not_tried_again_at_once",
            "daemon/test_settling.py::test_deletions_that_failed_within_an_answered_call_are_repeated",
            "daemon/test_settling.py::test_extensions_that_failed_within_an_answered_call_are_repeated_soon",
            "contracts/test_mailbox.py::test_entries_that_pass_or_wait_for_a_person_are_not_final",
            "contracts/test_mailbox.py::test_an_event_a_bus_refused_is_named_by_its_position",
        ),
    ),
    "C6": Promise(
        "What waits to be deleted is still kept.",
        (
            "daemon/test_leases.py::test_what_waits_for_its_deletion_is_still_kept",
            "daemon/test_burying.py::test_what_waits_to_be_buried_is_beaten",
        ),
        not_ours="There is no window to be checked at the start: what waits is beaten.",
    ),
}
