"""What stages tell of a batch becomes log lines: nothing in it repeats a prompt, a context or an answer."""

import json

import pytest

from consumers.core.lifecycle import BATCH_ENDS
from tests.stages.bedrock_answers import TEXTS, answer, error
from tests.stages.simulation import Simulation

MARK = "M4RK"


GOOD = answer(json.dumps(TEXTS["combined"]).replace("pool", MARK))
SPOILT = {
    "cut off": answer(f'{{"summary": {{"text": "{MARK}', "max_tokens"),
    "no JSON": answer(f"I cannot say {MARK}"),
    "no text": {"modelOutput": {"output": {MARK: MARK}}},
    "withheld": answer(MARK, "content_filtered"),
    "in error": error(400, f"the prompt {MARK} cannot be read"),
    "strange": {MARK: MARK},
}


@pytest.mark.parametrize("kind", SPOILT)
def test_no_fact_repeats_what_was_asked_or_answered(sim: Simulation, kind: str) -> None:
    first, second = sim.media(2)
    sim.answers.plan("file-1:combined", *[SPOILT[kind]] * 9)
    sim.answers.plan("file-2:combined", GOOD)
    batch_id = sim.submit(
        [{**first, "context": {"notes": f"{MARK} 1"}}, {**second, "context": {MARK: "2"}}],
        metadata={"requested_by": MARK},
    )
    sim.finish_all()
    assert sim.batch(batch_id).state in BATCH_ENDS
    assert len(sim.facts) > 8
    assert MARK not in repr(sim.facts)
    assert MARK in json.dumps(sim.results(batch_id))


def test_findings_of_strange_output_do_not_repeat_it(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.answers.plan("file-1:combined", {"recordId": f"file-9:{MARK}", **answer(MARK)})
    sim.finish_all()
    assert sim.batch(batch_id).state in BATCH_ENDS
    assert "finding_made" in {fact.event for fact in sim.facts}
    assert MARK not in repr(sim.facts)
