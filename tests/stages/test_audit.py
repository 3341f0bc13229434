"""What is done outside the database stands in the audit before it is done, and after it what came of it."""

from collections import Counter

import pytest

from consumers.core.faults import Denied
from consumers.core.rows import Phase, Verb
from daemon.adapters.views import Views
from schemas.messages import CancelBatch, CleanupLegacy, RemoveRaw
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_at, effects, record

OUTSIDE = {"jobs.create": Verb.CREATE_JOB, "jobs.stop": Verb.STOP_JOB}
DELETIONS = {Verb.CLEAN_FOLDERS, Verb.REMOVE_RAW, Verb.REMOVE_STRANGER}


def counted(sim: Simulation) -> Counter[tuple[Verb, Phase]]:
    entries = Views(sim.store.engine, sim.models).audit(None, None, 10_000)["entries"]
    return Counter((Verb(each["verb"]), Phase(each["phase"])) for each in entries)


def scenario(sim: Simulation) -> None:
    """Jobs are created, one is stopped, folders, raw lines and an old object are deleted."""
    sim.small_chunks(2)
    sim.objects.put("batch_input_old.jsonl", "{}")
    sim.submit(sim.media(4), analysis_types=["summary"])
    sim.finish_all()
    other = sim.submit(sim.media(1, first=9), "other")
    sim.post(CancelBatch(batch_id=other))
    sim.run()
    sim.post(CleanupLegacy(place="batch_input_old.jsonl"))
    sim.pass_time(100 * 86_400)
    sim.post(RemoveRaw(older_than_days=90))
    sim.run()


def test_every_effect_outside_is_told_before_it_is_done(sim: Simulation) -> None:
    met: Counter[str] = Counter()

    def heard(call: str) -> None:
        """Look, at each call that acts, whether the audit has an intent for it that nothing came of yet."""
        name, told = call.partition(" ")[0], counted(sim)
        verbs = DELETIONS if name == "objects.delete" else {OUTSIDE[name]} if name in OUTSIDE else set()
        if verbs and not call.endswith(" done"):
            met[name] += 1
            assert any(told[verb, Phase.INTENT] > told[verb, Phase.OUTCOME] for verb in verbs), call

    sim.on_call = heard
    scenario(sim)
    assert met == {"jobs.create": 3, "jobs.stop": 1, "objects.delete": 4}
    told = counted(sim)
    assert all(
        told[verb, Phase.INTENT] == told[verb, Phase.OUTCOME] for verb in DELETIONS | set(OUTSIDE.values())
    )


def test_a_crash_anywhere_loses_no_entry(simulate: NewSimulation) -> None:
    """What was done in the end has its outcome; what was cut short has one intent more."""
    sim = simulate()
    calls = record(sim)
    scenario(sim)
    expected = counted(sim)
    for nth in effects(calls)[::5]:
        sim = simulate(lease_seconds=-1)
        sim.on_call = crash_at(nth)
        scenario(sim)
        told = counted(sim)
        for kind, count in expected.items():
            lost = kind[1] is Phase.OUTCOME and told[kind[0], Phase.INTENT] > told[kind]
            assert told[kind] >= count or lost, f"{kind} after a crash at call {nth}: {calls[nth - 1]}"


def test_what_could_not_be_done_is_told_with_the_reason(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.jobs.fail_next("stop", Denied("bedrock:StopModelInvocationJob is not allowed"))
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    entries = Views(sim.store.engine, sim.models).audit(None, batch_id, 100)["entries"]
    [outcome] = [each for each in entries if (each["verb"], each["phase"]) == ("stop_job", "outcome")]
    assert outcome["detail"] == "failed: bedrock:StopModelInvocationJob is not allowed"


@pytest.mark.parametrize("verb", [Verb.CLEAN_FOLDERS, Verb.REMOVE_RAW])
def test_the_audit_tells_objects_and_bytes_of_what_was_deleted(sim: Simulation, verb: Verb) -> None:
    scenario(sim)
    entries = Views(sim.store.engine, sim.models).audit(None, None, 1000)["entries"]
    gone = [each for each in entries if (each["verb"], each["phase"]) == (verb, "outcome")]
    assert gone
    assert all(each["objects"] > 0 and each["bytes"] > 0 for each in gone)
