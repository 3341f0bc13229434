"""Slots, stage places, pauses and blocks."""

import random
from datetime import timedelta

import pytest

from consumers.core.faults import Rejected
from consumers.core.gate import Room
from consumers.core.lifecycle import JOB_ENDS, ChunkState, JobStatus
from consumers.core.rows import Gate, Held, Leased
from daemon.adapters.store import SqlStore, make_engine
from tests.contracts.planting import (
    GONE,
    MODEL,
    NOW,
    SLOTS,
    after,
    arn,
    claim,
    hold_batch,
    hold_chunk,
    job_name,
    new_batch,
    new_chunk,
    new_file,
    plant,
    report,
    stage,
    streak,
    submit,
)

GLOBAL = "global.amazon.nova-2-lite-v1:0"
OTHER = "us.amazon.nova-lite-v1:0"
ROOM = Room(SLOTS, 20)


def ask(store: SqlStore, chunk_id: str, slots: int = SLOTS, minutes: float = 0) -> tuple[Gate, Held]:
    held = hold_chunk(store, chunk_id)
    return store.claim_slot(held, job_name(chunk_id), "t", Room(slots, 20), after(minutes=minutes)), held


def is_free(store: SqlStore, chunk_id: str) -> bool:
    held = store.take(Leased.CHUNK, chunk_id, GONE)
    return held is not None


def is_proven(store: SqlStore, chunk_id: str) -> bool:
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    return chunk.proven


def test_slots_are_counted_for_all_profiles_of_a_base_model(store: SqlStore) -> None:
    [one] = plant(store, "one")
    [two] = plant(store, "two", model=GLOBAL)
    [three] = plant(store, "three", model=OTHER)
    for chunk_id in (one, two, three):
        stage(store, chunk_id)
    assert ask(store, one, slots=1)[0] is Gate.OPEN
    assert ask(store, two, slots=1)[0] is Gate.NO_ROOM
    assert ask(store, three, slots=1)[0] is Gate.OPEN


def test_a_chunk_without_a_slot_parks_and_can_be_taken_at_once(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    gate, _ = ask(store, chunk_id, slots=0)
    assert gate is Gate.NO_ROOM
    assert is_free(store, chunk_id)


def test_an_own_claim_is_open_again_and_takes_no_second_slot(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    stage(store, first)
    stage(store, second)
    gate, held = ask(store, first, slots=2)
    assert gate is Gate.OPEN
    assert store.claim_slot(held, job_name(first), "t", Room(2, 20), NOW) is Gate.OPEN
    assert ask(store, second, slots=2)[0] is Gate.OPEN
    assert len(store.open_jobs()) == 2


def test_a_job_name_belongs_to_one_chunk_for_ever(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    submit(store, first)
    stage(store, second)
    with pytest.raises(Rejected):
        store.claim_slot(hold_chunk(store, second), job_name(first), "t", ROOM, NOW)


def test_an_ended_job_frees_its_slot(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    submit(store, first)
    stage(store, second)
    assert ask(store, second, slots=1)[0] is Gate.NO_ROOM
    assert store.job_seen(first, report(first, JobStatus.FAILED), NOW)
    assert ask(store, second, slots=1)[0] is Gate.OPEN


def test_a_slot_given_back_is_free_and_the_chunk_stays_ready(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    store.give_slot_back(claim(store, chunk_id), "quota", NOW)
    assert store.open_jobs() == []
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert (chunk.state, chunk.job, chunk.last_error) == (ChunkState.READY, None, "quota")


def test_a_claim_that_became_no_job_ends_with_its_chunk(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    store.end_chunk(claim(store, chunk_id), ChunkState.FAILED, "no permission", NOW)
    assert store.open_jobs() == []
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert (chunk.state, chunk.job, chunk.last_error) == (ChunkState.FAILED, None, "no permission")


def test_a_refusal_for_quota_blocks_the_model_and_parks_the_chunk(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    stage(store, first)
    stage(store, second)
    store.give_slot_back(claim(store, first), "quota", NOW)
    assert is_free(store, first)
    assert ask(store, second)[0] is Gate.BLOCKED
    assert store.next_up(MODEL, ROOM, NOW) == ()


def test_after_a_block_one_chunk_probes_until_a_create_succeeds(store: SqlStore) -> None:
    ids = plant(store, chunks=3)
    for chunk_id in ids:
        stage(store, chunk_id)
    store.give_slot_back(claim(store, ids[0]), "quota", NOW)
    assert len(store.next_up(MODEL, ROOM, after(minutes=1))) == 1
    assert ask(store, ids[1], minutes=1)[0] is Gate.OPEN
    assert ask(store, ids[2], minutes=1)[0] is Gate.BLOCKED
    assert store.next_up(MODEL, ROOM, after(minutes=1)) == ()
    assert store.submitted(ids[1], arn(ids[1]), after(minutes=1))
    assert ask(store, ids[2], minutes=1)[0] is Gate.OPEN


def test_blocks_double_to_ten_minutes_and_begin_anew_after_a_success(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    now, lengths = NOW, []
    for _ in range(7):
        held = hold_chunk(store, chunk_id)
        assert store.claim_slot(held, job_name(chunk_id), "t", ROOM, now) is Gate.OPEN
        store.give_slot_back(held, "quota", now)
        begun = now
        while not store.next_up(MODEL, ROOM, now):
            now += timedelta(seconds=30)
        lengths.append((now - begun).total_seconds())
    assert lengths == [30, 60, 120, 240, 480, 600, 600]


def test_refusals_at_the_same_moment_block_once(store: SqlStore) -> None:
    ids = plant(store, chunks=3)
    for chunk_id in ids:
        stage(store, chunk_id)
    claims = [claim(store, chunk_id) for chunk_id in ids]
    for held in claims:
        store.give_slot_back(held, "quota", NOW)
    assert len(store.next_up(MODEL, ROOM, after(seconds=31))) == 1


@pytest.mark.parametrize("paused", [MODEL, GLOBAL, "*"])
def test_a_paused_model_stages_and_claims_nothing(store: SqlStore, paused: str) -> None:
    first, second = plant(store, chunks=2)
    stage(store, first)
    store.pause(paused, "by hand", NOW)
    assert ask(store, first)[0] is Gate.PAUSED
    held = hold_chunk(store, second)
    assert store.open_staging(held, ROOM, NOW) is Gate.PAUSED
    assert is_free(store, second)
    assert store.next_up(MODEL, ROOM, NOW) == ()
    assert store.resume(paused)
    assert not store.resume(paused)
    assert store.next_up(MODEL, ROOM, NOW) == (first, second)


def test_staging_waits_for_a_place(store: SqlStore) -> None:
    first, second, third = plant(store, chunks=3)
    held = hold_chunk(store, first)
    assert store.open_staging(held, Room(0, 1), NOW) is Gate.OPEN
    assert store.open_staging(held, Room(0, 1), NOW) is Gate.OPEN
    assert store.open_staging(hold_chunk(store, second), Room(0, 1), NOW) is Gate.NO_ROOM
    assert store.open_staging(hold_chunk(store, second), Room(1, 1), NOW) is Gate.OPEN
    assert store.open_staging(hold_chunk(store, third), Room(1, 1), NOW) is Gate.NO_ROOM


def test_a_chunk_of_higher_rank_is_staged_beyond_the_places(store: SqlStore) -> None:
    [low] = plant(store, "low")
    high = plant(store, "high", chunks=2, priority=1)
    stage(store, low)
    assert store.next_up(MODEL, Room(0, 1), NOW) == (high[0],)
    assert store.open_staging(hold_chunk(store, high[0]), Room(0, 1), NOW) is Gate.OPEN
    assert store.open_staging(hold_chunk(store, high[1]), Room(0, 1), NOW) is Gate.NO_ROOM


def test_no_chunk_starts_before_its_plan_is_complete(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [new_file(0)], {})
    chunk = new_chunk(batch, 0, [0])
    store.plan_chunks(held, [chunk], {})
    assert store.next_up(MODEL, ROOM, NOW) == ()
    assert store.open_staging(hold_chunk(store, chunk.chunk_id), ROOM, NOW) is Gate.STALE


def test_the_next_ones_fill_the_free_slots_and_the_free_places(store: SqlStore) -> None:
    ids = plant(store, chunks=6)
    submit(store, ids[0])
    for chunk_id in ids[1:4]:
        stage(store, chunk_id)
    assert store.next_up(MODEL, Room(3, 2), NOW) == (*ids[1:3], ids[4])


def test_held_and_resting_chunks_are_not_next(store: SqlStore) -> None:
    ids = plant(store, chunks=3)
    hold_chunk(store, ids[0])
    resting = hold_chunk(store, ids[1])
    store.failed(resting, "prepare", "throttled", NOW)
    store.release(resting)
    assert store.next_up(MODEL, ROOM, NOW) == (ids[2],)
    assert store.next_up(MODEL, ROOM, after(minutes=1)) == (ids[1], ids[2])


def test_a_chunk_about_to_claim_leaves_the_next_slot_to_the_first_that_waits(store: SqlStore) -> None:
    ids = plant(store, chunks=5)
    for minute, chunk_id in enumerate(ids[:2]):
        submit(store, chunk_id)
        store.job_seen(chunk_id, report(chunk_id, JobStatus.COMPLETED), after(minutes=minute))
    for chunk_id in ids[2:]:
        stage(store, chunk_id)
    hold_chunk(store, ids[2])
    assert store.next_up(MODEL, Room(2, 0), after(minutes=2), ids[1]) == (ids[3],)


def test_batches_take_turns_by_the_slots_they_use(store: SqlStore) -> None:
    large = plant(store, "large", chunks=4)
    small = plant(store, "small", chunks=2, at=after(minutes=1))
    assert store.next_up(MODEL, Room(4, 0), after(minutes=2)) == (large[0], small[0], large[1], small[1])


def test_a_batch_that_uses_fewer_slots_goes_before_an_older_one(store: SqlStore) -> None:
    large = plant(store, "large", chunks=4)
    small = plant(store, "small", chunks=2, at=after(minutes=1))
    for chunk_id in large[:2]:
        submit(store, chunk_id)
    assert store.next_up(MODEL, Room(2, 2), after(minutes=2)) == tuple(small)
    for chunk_id in [*large[2:], *small]:
        stage(store, chunk_id)
    assert store.next_up(MODEL, Room(4, 0), after(minutes=2)) == tuple(small)


def test_an_hour_of_waiting_is_worth_one_priority(store: SqlStore) -> None:
    [old] = plant(store, "old")
    [new] = plant(store, "new", priority=1, at=after(minutes=90))
    assert store.next_up(MODEL, Room(2, 0), after(minutes=100)) == (old, new)
    [urgent] = plant(store, "urgent", priority=2, at=after(minutes=90))
    assert store.next_up(MODEL, Room(3, 0), after(minutes=100)) == (urgent, old, new)


def test_a_pause_and_a_resume_hold_in_all_processes_at_once(store: SqlStore, database_url: str) -> None:
    first, second = plant(store, chunks=2)
    other = SqlStore(make_engine(database_url))
    stage(other, first)
    store.pause(MODEL, "by hand", NOW)
    assert ask(other, first)[0] is Gate.PAUSED
    assert other.open_staging(hold_chunk(other, second), ROOM, NOW) is Gate.PAUSED
    assert other.next_up(MODEL, ROOM, NOW) == ()
    assert store.resume(MODEL)
    assert ask(other, first)[0] is Gate.OPEN
    other.engine.dispose()


def test_a_resume_of_all_resumes_a_model_that_paused_itself(store: SqlStore) -> None:
    ids = plant(store, chunks=4)
    for chunk_id in ids[:3]:
        store.end_chunk(hold_chunk(store, chunk_id), ChunkState.FAILED, "no access", NOW)
    stage_gate = store.open_staging(hold_chunk(store, ids[3]), ROOM, NOW)
    assert stage_gate is Gate.PAUSED
    assert store.resume("*")
    assert streak(store) == 0
    assert store.next_up(MODEL, ROOM, NOW) == (ids[3],)


def test_the_third_failure_in_a_row_pauses_its_model_and_tells_it_once(store: SqlStore) -> None:
    ids = plant(store, chunks=4)
    told = [
        store.end_chunk(hold_chunk(store, chunk_id), ChunkState.FAILED, "no access", NOW) for chunk_id in ids
    ]
    why = "3 chunks in a row failed as a whole, the last one with: no access"
    assert told == [None, None, why, None]


def test_what_a_cancel_stopped_is_no_failure(store: SqlStore) -> None:
    ids = plant(store, chunks=3)
    for chunk_id in ids:
        submit(store, chunk_id)
    store.cancel(ids[0].rpartition("-")[0], "", NOW)
    for chunk_id in ids:
        assert store.job_seen(chunk_id, report(chunk_id, JobStatus.STOPPED), NOW)
        assert store.end_chunk(hold_chunk(store, chunk_id), ChunkState.FAILED, "stopped", NOW) is None
    assert streak(store) == 0


def test_a_job_past_validation_proves_its_model(store: SqlStore) -> None:
    past = {"Scheduled": 5, "InProgress": 5, "Completed": 6, "PartiallyCompleted": 6}
    for status in JobStatus:
        model, space = f"us.model-{status}", Room(6, 0)
        ids = plant(store, status, chunks=8, files=1, proven=False, model=model)
        submit(store, ids[0])
        assert store.next_up(model, space, NOW) == tuple(ids[1:3])
        store.job_seen(ids[0], report(ids[0], status), NOW)
        assert len(store.next_up(model, space, NOW)) == past.get(status, 2), status


def test_of_ended_jobs_only_those_without_a_proof_count_against_an_unproven_model(store: SqlStore) -> None:
    more = {"Completed": 2, "PartiallyCompleted": 2, "Failed": 1, "Stopped": 1, "Expired": 1}
    for status in sorted(JOB_ENDS):
        model, space = f"us.model-{status}", Room(6, 0)
        ids = plant(store, status, chunks=8, files=1, model=model)
        for chunk_id in ids[:2]:
            submit(store, chunk_id)
        store.job_seen(ids[0], report(ids[0], status), NOW)
        store.job_seen(ids[1], report(ids[1], JobStatus.FAILED), NOW)
        store.end_chunk(hold_chunk(store, ids[1]), ChunkState.FAILED, "no access", NOW)
        assert len(store.next_up(model, space, NOW)) == more[status], status


def test_a_chunk_knows_whether_its_model_is_proven(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, proven=False)
    submit(store, first)
    assert not is_proven(store, second)
    store.job_seen(first, report(first, JobStatus.IN_PROGRESS), NOW)
    assert is_proven(store, second)
    store.end_chunk(hold_chunk(store, second), ChunkState.FAILED, "no access", NOW)
    assert not is_proven(store, first)


def test_in_whatever_order_jobs_are_claimed_and_fail_three_are_risked(store: SqlStore) -> None:
    for seed in range(3):
        dice = random.Random(seed)
        ids = plant(store, str(seed), chunks=8, files=1, proven=False, model=f"us.model-{seed}")
        for chunk_id in ids:
            stage(store, chunk_id)
        claimed, running, over = set[str](), list[str](), list[str]()
        for _ in range(40):
            step = dice.choice(["claim", "claim", "fail", "end"])
            if step == "claim" and (left := [each for each in ids if each not in claimed]):
                gate, held = ask(store, dice.choice(left))
                store.release(held)
                if gate is Gate.OPEN:
                    claimed.add(held.id)
                    running.append(held.id)
            elif step == "fail" and running:
                over.append(running.pop())
                assert store.job_seen(over[-1], report(over[-1], JobStatus.FAILED), NOW)
            elif step == "end" and over:
                store.end_chunk(hold_chunk(store, over.pop()), ChunkState.FAILED, "no access", NOW)
        assert len(claimed) == 3
