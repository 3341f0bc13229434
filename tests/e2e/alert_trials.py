"""For every alert the fault of a running machine that makes it fire, and what ends it: one table.

Where a rule's own times are short the shipped rules are tried as they are; elsewhere an hour goes by in a
minute (``quicker.py`` says what that changes), and where days count, a day. What cannot be had in earnest
is claimed (an object of 160 GB) or had in proportion (67 messages in flight for 96,000).
"""

from collections.abc import Mapping, Sequence

from tests.e2e import alert_faults as faults
from tests.e2e import queue_faults as queues
from tests.e2e.sites import ROLES, Plan, Trial

AS_IT_IS, AN_HOUR_A_MINUTE, A_DAY_A_MINUTE = 1, 60, 1440

PLACES: Mapping[str, Plan] = {
    "days": Plan(A_DAY_A_MINUTE),
    "plain": Plan(AS_IT_IS, {"NOVABATCH_FETCH_MAX_RETRIES": "0"}, {**ROLES, "wedged": "submit"}),
    "work": Plan(AN_HOUR_A_MINUTE, {"NOVABATCH_SLOTS": "3", "NOVABATCH_RECEIVE_WAIT": queues.PATIENT}),
    "outage": Plan(AN_HOUR_A_MINUTE),
    "gone": Plan(AN_HOUR_A_MINUTE),
    "unheard": Plan(AN_HOUR_A_MINUTE),
}
"""The machines, each with its own Prometheus, all at once: most of the time they wait."""

TRIALS: Sequence[Trial] = (
    Trial("ConsumerDown", "plain", faults.take_a_consumer_away, faults.bring_it_back),
    Trial("ConsumerStalled", "plain", faults.hang_the_polls_of_one),
    Trial("MessagesAboutToExpire", "plain", faults.keep_a_message_failing, faults.let_it_work),
    Trial("DeadLetters", "plain", faults.send_what_can_never_work, faults.empty_the_dead_letters),
    Trial("ModelPaused", "plain", faults.fail_all_jobs_of_a_model, faults.resume),
    Trial("CountsDisagree", "plain", faults.hide_an_output, faults.read_it_after_all),
    Trial("ModelEnding ModelEndingSoon PriceOld", "plain", faults.forget_the_models, faults.mend_the_models),
    Trial("EmptyReceivesHigh", "work", queues.poll_without_patience, queues.poll_with_patience),
    Trial("CleanupFailing", "work", faults.deny_deleting),
    Trial("LeaseLost", "work", faults.lose_a_lease),
    Trial("MessageStuck", "work", faults.hold_a_copy),
    Trial("WorkFailing", "work", faults.deny_the_list_of_jobs),
    Trial("SlotsSaturated", "work", faults.keep_jobs_open, ill=faults.post_more),
    Trial("HighFailureRatio", "work", faults.send_what_can_never_work, ill=faults.send_it_again_and_again),
    Trial("CircuitOpen OldestMessageTooOld", "outage", faults.keep_s3_busy, faults.bring_messages_back),
    Trial("PollErrors", "outage", faults.refuse_the_polls),
    Trial("DrainTimeTooLong", "outage", queues.slow_down_the_polls),
    Trial("NothingReconciled MetricsStale", "gone", faults.stop_the_reconciler, faults.start_the_reconciler),
    Trial(
        "FreshnessBudgetBurnFast FreshnessBudgetBurnSlow FreshnessBudgetBurnSteady",
        "gone",
        faults.leave_messages_lying,
        mending=faults.send_what_is_received_in_time,
    ),
    Trial(
        "AckFailures DuplicateDeliveriesHigh",
        "gone",
        queues.refuse_deletions,
        ill=queues.give_them_out_again,
    ),
    Trial("VisibilityExtensionFailing", "gone", queues.refuse_extensions),
    Trial("JobEventsMissed", "unheard", faults.lose_all_events, ill=faults.post_one, mending=faults.post_one),
    Trial("JobOverdue", "days", faults.keep_a_job_open),
    Trial("BatchBudgetReached", "days", faults.spend_the_budget_of_a_batch),
    Trial("ConsumerVersionSkew", "days", queues.leave_one_behind, queues.bring_it_up_to_date),
    Trial("NotVisibleNearLimit", "days", queues.take_and_never_delete, queues.give_back_what_was_taken),
    Trial("BudgetReached", "days", faults.spend_the_budget, faults.raise_the_budget),
    Trial("StorageGrowing", "days", faults.fill_temporary_folders, faults.empty_them),
)
