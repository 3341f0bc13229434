"""An analysis type of a team's own on its whole way, and one that left while chunks were waiting."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from daemon.analysis_files import read_analyses
from daemon.settings import load
from schemas.analyses import REGISTRY
from schemas.messages import RetryBatch
from tests.stages.bedrock_answers import answer
from tests.stages.simulation import Simulation

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN = read_analyses(load(analyses_dir=EXAMPLES))
TYPES = ["colours"]
GIVEN = {"colours": ["dark blue", {"name": "red", "share": 0.6}], "mood": "calm", "changes": ["00:05-00:09"]}
READ = {
    "colours": [{"name": "red", "share": 0.6}, {"name": "dark blue", "share": None}],
    "mood": "calm",
    "changes": ["00:05-00:09"],
    "changes_seconds": [{"start": 5, "end": 9, "duration": 4}],
}


@pytest.fixture
def own(sim: Simulation) -> Simulation:
    """A simulation that knows the example's type; every file is answered well."""
    sim.analyses = OWN
    for number in range(1, 5):
        sim.answers.plan(f"file-{number}:colours", *[answer(json.dumps(GIVEN))] * 2)
    return sim


def manifest(sim: Simulation) -> list[dict[str, Any]]:
    """Return the lines of the first job's manifest, padding left out."""
    request = next(iter(sim.jobs.requests.values()))
    folder = layout.parse_s3_uri(request.input_uri).key
    lines = map(json.loads, sim.objects.text(folder + layout.MANIFEST_NAME).splitlines())
    return [line for line in lines if not layout.is_padding(line["recordId"])]


def test_a_type_of_ones_own_goes_from_the_request_to_the_line_of_results(own: Simulation) -> None:
    files = own.media(1) + own.media(1, "png", first=2)
    batch_id = own.submit(files, analysis_types=TYPES, options={"summary_depth": "brief"})
    video, image = manifest(own)
    for line, kind in ((video, "video"), (image, "image")):
        media, text = line["modelInput"]["messages"][0]["content"]
        assert kind in media
        assert f"cover most of the {kind}" in text["text"]
        assert "at most 3 colours" in text["text"]
    assert video["modelInput"]["inferenceConfig"] == {"maxTokens": 1024, "temperature": 0.2}
    own.finish_all()
    first, second = own.results(batch_id)
    assert (first["analysis_type"], first["outcome"], first["result"]) == ("colours", "SUCCEEDED", READ)
    assert "changes" not in second["result"]
    assert second["result"]["colours"] == READ["colours"]
    assert len({line["prompt_version"] for line in (first, second)}) == 2


def test_own_and_built_in_types_are_asked_for_together(own: Simulation) -> None:
    batch_id = own.submit(own.media(2), analysis_types=["combined", "colours"])
    own.finish_all()
    assert own.batch(batch_id).state is BatchState.COMPLETED
    assert own.outcomes(batch_id)["1:colours"] == "SUCCEEDED"
    assert own.outcomes(batch_id)["1:search_metadata"] == "SUCCEEDED"


def test_an_unknown_type_is_refused_where_the_folder_is_not_known(sim: Simulation) -> None:
    sim.submit(sim.media(1), analysis_types=TYPES)
    (_, refused) = sim.dead[-1]
    assert refused.code == "unknown_analysis_type"


def test_a_type_that_left_before_its_chunk_was_staged_fails_with_the_remedy_and_comes_back_by_retry(
    own: Simulation,
) -> None:
    own.store.pause("*", "wait", own.now)
    batch_id = own.submit(own.media(2), analysis_types=TYPES)
    own.analyses = REGISTRY
    own.store.resume("*")
    own.reconcile()
    for _ in range(6):
        own.pass_time(1000)
        own.reconcile()
    assert own.batch(batch_id).state is BatchState.FAILED
    line = own.results(batch_id)[0]
    assert line["error"]["code"] == "CHUNK_NOT_PREPARED"
    assert "put its file back into NOVABATCH_ANALYSES_DIR" in line["error"]["message"]
    assert not own.jobs.created
    own.analyses = OWN
    own.post(RetryBatch(batch_id=batch_id))
    own.run()
    own.finish_all()
    assert set(own.outcomes(batch_id).values()) == {"SUCCEEDED"}


def test_a_type_that_left_before_its_output_was_read_loses_no_answer(own: Simulation) -> None:
    batch_id = own.submit(own.media(2), analysis_types=TYPES)
    own.analyses = REGISTRY
    own.finish_jobs()
    for _ in range(6):
        own.pass_time(1000)
        own.reconcile()
    line = own.results(batch_id)[0]
    assert line["error"]["code"] == "RESULT_FETCH_FAILED"
    assert "put its file back into NOVABATCH_ANALYSES_DIR" in line["error"]["message"]
    own.analyses = OWN
    own.pass_time(3700)
    own.reconcile()
    own.run()
    assert set(own.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert len(own.jobs.created) == 1
