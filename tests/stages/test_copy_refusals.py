"""What is REFUSED only when it is copied, in words that name it and help; and what is no fault of a file."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consumers.core.faults import Archived, Changed, Denied, Fault, PassingFault, Rejected, Throttled
from consumers.core.lifecycle import BatchState
from tests.stages.conftest import NewSimulation
from tests.stages.lots import BATCH, lose, refusals, succeeded, the_chunk
from tests.stages.moments import at_call
from tests.stages.remedies import REMEDY
from tests.stages.simulation import Crash, Simulation

MANY = 10**6
DENIED = "AccessDenied: Access Denied"
KEY = "Video, 1.mov"
Act = Callable[[Simulation], None]


def faulty(call: str, fault: Fault, *, gone: bool = False, changed: bool = False) -> Act:
    """Let a call about the first file fail, after its original was lost or replaced where that is said."""

    def act(sim: Simulation) -> None:
        subject = "proxies/1.mov" if call == "uploads" else KEY
        if gone:
            lose(sim)
        if changed:
            sim.objects.fail_next("copies", Changed("412"), subject=KEY)
        sim.objects.fail_next(call, fault, subject=subject, times=MANY)

    return act


def replaced(content: str, **stored: Any) -> Act:
    def act(sim: Simulation) -> None:
        sim.objects.put(f"proxy_video/{KEY}", content, **stored)

    return act


def written_without_end(sim: Simulation) -> None:
    lose(sim)
    sim.objects.fail_next("uploads", Changed("it is being written"), times=2)


def lost_while_it_is_sent(sim: Simulation) -> None:
    lose(sim)
    at_call(sim, "objects.uploads", act=lambda: sim.local.files.pop("proxies/1.mov"))


REFUSED: dict[str, tuple[Act, str | None, str, str]] = {
    "gone": (lose, None, "not_found", f"s3://media/proxy_video/{KEY}"),
    "gone here and there": (lose, "proxies/none.mov", "not_found", "proxies/none.mov"),
    "gone while it is sent": (lost_while_it_is_sent, "proxies/1.mov", "not_found", "proxies/1.mov"),
    "a path that leads out": (lose, "../1.mov", "local_path_not_allowed", "../1.mov"),
    "denied": (faulty("copies", Denied(DENIED)), None, "access_denied", DENIED),
    "denied when it is measured again": (
        faulty("heads", Denied(DENIED), changed=True),
        None,
        "access_denied",
        DENIED,
    ),
    "denied when it is sent": (
        faulty("uploads", Denied(DENIED), gone=True),
        "proxies/1.mov",
        "access_denied",
        DENIED,
    ),
    "refused by S3": (
        faulty("copies", Rejected("KMS.DisabledException")),
        None,
        "not_copied",
        "KMS.DisabledException",
    ),
    "refused by S3 when it is measured again": (
        faulty("heads", Rejected("KeyTooLongError"), changed=True),
        None,
        "not_readable",
        "KeyTooLongError",
    ),
    "refused by S3 when it is sent": (
        faulty("uploads", Rejected("KMS.DisabledException"), gone=True),
        "proxies/1.mov",
        "not_copied",
        "KMS.DisabledException",
    ),
    "archived": (faulty("copies", Archived("InvalidObjectState")), None, "archived", KEY),
    "archived since": (replaced("x", storage_class="GLACIER"), None, "archived", "GLACIER"),
    "empty": (replaced(""), None, "empty", "no bytes"),
    "too large": (replaced("x" * 50), None, "too_large", "50 bytes"),
    "changed again": (written_without_end, "proxies/1.mov", "changed", KEY),
}


@pytest.mark.parametrize(("act", "path", "code", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_refused_at_the_copy_is_told_what_was_found_and_what_to_do(
    sim: Simulation, act: Act, path: str | None, code: str, said: str
) -> None:
    sim.policy = replace(sim.policy, max_file_bytes=40)
    sim.local.files["proxies/1.mov"] = b"media 1"
    files = sim.media(3)
    if path is not None:
        files[0]["local_path"] = path
    at_call(sim, "objects.copies", KEY, act=lambda: act(sim))
    sim.submit(files)
    sim.finish_all()
    assert refusals(sim)[1][0] == code
    reason = refusals(sim)[1][1]
    assert said in reason
    assert REMEDY.search(reason), reason
    assert "file" in reason or KEY in reason
    assert succeeded(sim) == {2, 3}


@pytest.mark.parametrize(
    ("fault", "code"), [(Denied(DENIED), "access_denied"), (Rejected("KeyTooLongError"), "not_readable")]
)
def test_a_file_refused_at_the_plan_is_told_in_the_same_words(
    simulate: NewSimulation, fault: Fault, code: str
) -> None:
    sim = simulate()
    sim.objects.fail_next("heads", fault, subject=KEY, times=MANY)
    sim.submit(sim.media(3))
    sim.finish_all()
    at_plan = refusals(sim)[1]
    sim = simulate()
    at_call(sim, "objects.copies", KEY, act=lambda: faulty("heads", fault, changed=True)(sim))
    sim.submit(sim.media(3))
    sim.finish_all()
    assert refusals(sim)[1] == at_plan
    assert at_plan[0] == code
    assert REMEDY.search(at_plan[1]), at_plan
    assert KEY in at_plan[1]


# ── what is denied to all alike ────────────────────────────────────────────────────────────────


def test_a_permission_that_is_lost_half_way_refuses_no_file(simulate: NewSimulation) -> None:
    sim = simulate(lease_seconds=-1)

    def lose_the_permission() -> None:
        sim.objects.fail_next("copies", Denied(DENIED), times=2 * 4)
        raise Crash("half-way")

    at_call(sim, "objects.copies", "Video, 3.mov", act=lose_the_permission)
    sim.submit(sim.media(6))
    assert the_chunk(sim).failures == {"prepare": 1}
    for _ in range(3):
        sim.pass_time(60)
    sim.finish_all()
    assert not refusals(sim)
    assert succeeded(sim) == {1, 2, 3, 4, 5, 6}


def test_a_denied_file_costs_itself_only_although_others_have_to_wait(sim: Simulation) -> None:
    """What became clear of it in the run in which others came is not forgotten by the next."""
    sim.objects.fail_next("copies", Denied(DENIED), subject="Video, 1.mov", times=MANY)
    sim.objects.fail_next("copies", Throttled("SlowDown"), subject="Video, 2.mov", times=8)
    sim.submit(sim.media(3))
    for _ in range(12):
        sim.pass_time(3600)
        sim.reconcile()
    sim.finish_all()
    assert "prepare" not in the_chunk(sim).failures
    assert refusals(sim)[1][0] == "access_denied"
    assert succeeded(sim) == {2, 3}


def test_a_denied_file_costs_itself_only_although_its_folder_is_not_filled_at_once(sim: Simulation) -> None:
    sim.objects.fail_next("copies", Denied(DENIED), subject="Video, 1.mov", times=MANY)
    sim.objects.fail_next("writer", PassingFault("reset"), subject="manifest.jsonl", times=4)
    sim.submit(sim.media(3))
    for _ in range(6):
        sim.pass_time(3600)
        sim.reconcile()
    sim.finish_all()
    assert sim.batch(BATCH).state is BatchState.COMPLETED_WITH_ERRORS
    assert succeeded(sim) == {2, 3}
