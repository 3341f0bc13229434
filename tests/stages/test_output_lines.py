"""Lines that Bedrock should not write: doubled, torn, strange; each costs itself only."""

import gzip
import json
from dataclasses import replace
from itertools import permutations

import pytest

from consumers.core import layout
from schemas.facts import BatchReparsed, FindingMade
from schemas.messages import ReparseBatch
from tests.stages.bedrock_answers import answer, error, usage
from tests.stages.conftest import NewSimulation
from tests.stages.outputs import Lines, end_job, line
from tests.stages.simulation import Simulation

ID = "file-1:summary"
GOOD = line(ID)
OTHER_GOOD = line(ID, answer(json.dumps({"text": "Another pool.", "depth": "brief", "language": "en"})))
CUT = line(ID, answer('{"text": "A pool", "depth": "bri', "max_tokens"))
BAD = line(ID, error(400, "no"))
WORSE = line(ID, answer("I cannot see a video."))


def strange_lines(sim: Simulation) -> list[str]:
    return [
        fact.detail for fact in sim.facts if isinstance(fact, FindingMade) and fact.kind == "strange_lines"
    ]


def ended_with(sim: Simulation, *lines: bytes) -> str:
    """Submit one file and end its job with these lines and no others of the file."""
    sim.policy = replace(sim.policy, max_attempts=1)
    batch_id = sim.submit(sim.media(1), analysis_types=["summary"])

    def only(written: Lines) -> Lines:
        return [*lines, *(each for each in written if b"padding-" in each)]

    end_job(sim, only)
    return batch_id


@pytest.mark.parametrize("lines", list(permutations([GOOD, CUT, BAD])))
def test_the_best_line_of_a_record_counts_in_whatever_order_they_come(
    sim: Simulation, lines: tuple[bytes, ...]
) -> None:
    batch_id = ended_with(sim, *lines)
    (told,) = sim.results(batch_id)
    assert (told["outcome"], told["result"]["text"]) == ("SUCCEEDED", "A pool with a waterfall.")
    assert (told["error"], told["input_tokens"]) == (None, 1000)


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [([BAD, CUT], "TRUNCATED"), ([CUT, BAD], "TRUNCATED"), ([BAD, WORSE], "MODEL_ERROR")],
)
def test_what_was_kept_of_a_cut_answer_is_better_than_an_error(
    sim: Simulation, lines: list[bytes], outcome: str
) -> None:
    (told,) = sim.results(ended_with(sim, *lines))
    assert told["outcome"] == outcome


def test_of_two_good_lines_the_first_counts(sim: Simulation) -> None:
    (told,) = sim.results(ended_with(sim, OTHER_GOOD, GOOD))
    assert told["result"]["text"] == "Another pool."


def test_a_doubled_line_is_found_and_kept_among_the_raw_lines(sim: Simulation) -> None:
    batch_id = ended_with(sim, GOOD, BAD, GOOD)
    assert strange_lines(sim) == ["2 lines speak again of a record that had its line"]
    raw = gzip.decompress(sim.objects.read(layout.raw_key(batch_id, 0)))
    assert raw.count(b'"file-1:summary"') == 3


def test_a_reparse_takes_the_same_line_of_several(sim: Simulation) -> None:
    batch_id = ended_with(sim, OTHER_GOOD, GOOD, BAD)
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    (told,) = [fact for fact in sim.facts if isinstance(fact, BatchReparsed)]
    assert (told.records, told.changed) == (1, 0)


def test_the_best_line_counts_although_pages_of_others_lie_between(simulate: NewSimulation) -> None:
    sim = simulate()
    sim.policy = replace(sim.policy, max_attempts=1, max_files_per_chunk=700)
    batch_id = sim.submit(sim.media(700), analysis_types=["summary"])

    def with_errors_at_both_ends(lines: Lines) -> Lines:
        errors = [line(f"file-{n}:summary", error(400, "no")) for n in (1, 2, 699, 700)]
        return [*errors, *lines, *errors]

    end_job(sim, with_errors_at_both_ends)
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert strange_lines(sim) == ["8 lines speak again of a record that had its line"]


def test_padding_that_comes_twice_is_paid_for_once(simulate: NewSimulation) -> None:
    sim = simulate(min_records=3)
    batch_id = sim.submit(sim.media(1))
    end_job(sim, lambda lines: [*lines, line("padding-0", answer("y", "max_tokens"))])
    padding = sim.store.count(batch_id).padding
    assert (padding.input_tokens, padding.output_tokens) == (2000, 200)
    assert strange_lines(sim) == ["1 line speaks again of a record that had its line"]


def test_lines_of_no_use_are_told_apart(sim: Simulation) -> None:
    ended_with(sim, GOOD, b"{", b"[]", line("file-77:summary"), line("file-1:chapters"), GOOD)
    assert strange_lines(sim) == [
        "2 lines are broken; 2 lines name no record of the chunk; "
        "1 line speaks again of a record that had its line"
    ]


def test_raw_line_ends_of_unicode_come_through_from_the_output_to_the_results(sim: Simulation) -> None:
    text = "a\u0085b\u2028c"
    told = {"text": text, "depth": "brief", "language": "en"}
    message = {"content": [{"text": json.dumps(told, ensure_ascii=False)}], "role": "assistant"}
    output = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage()}
    whole = json.dumps({"recordId": ID, "modelOutput": output}, ensure_ascii=False).encode()
    assert "\u2028".encode() in whole
    batch_id = ended_with(sim, whole)
    (result,) = sim.results(batch_id)
    assert result["result"]["text"] == text
    assert result["error"] is None
    assert not strange_lines(sim)
    raw = gzip.decompress(sim.objects.read(layout.raw_key(batch_id, 0)))
    assert raw.count(b"\n") == 2
    assert json.loads(raw.split(b"\n")[0])["modelOutput"] == output
