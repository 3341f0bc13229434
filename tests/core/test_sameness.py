"""When two requests say the same, and what differs where they do not."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.submit.sameness import canonical, differing, other_content
from schemas.messages import SubmitBatch

VALUES = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2, width=16) | st.sampled_from("ab")
MAPS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=2)
FILES = st.lists(
    st.fixed_dictionaries(
        {"file_id": st.integers(1, 4), "s3_key": st.sampled_from(["a.mov", "b.mov"])},
        optional={"context": MAPS, "size_bytes": st.integers(0, 2)},
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda file: str(file["file_id"]),
)
REQUESTS = st.fixed_dictionaries(
    {"request_id": st.just("r"), "model": st.just("nova-2-lite"), "files": FILES},
    optional={
        "priority": st.integers(0, 1),
        "budget_usd": st.sampled_from(["25", "25.00", 25, 25.5, None]),
        "metadata": MAPS,
        "options": st.fixed_dictionaries({}, optional={"language": st.sampled_from(["auto", "de"])}),
    },
)


def written(request: dict[str, Any]) -> str:
    return canonical(SubmitBatch.model_validate(request), "the model", "the bucket")


@given(REQUESTS, REQUESTS)
def test_what_differs_is_named_where_something_does(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = written(one), written(other)
    assert bool(differing(before, after)) is (before != after)
    assert (other_content("r", before, after) is None) is (before == after)
    told = differing(before, after)
    named = {name.partition(".")[0].partition(" ")[0] for name in told.split(", ")}
    first, second = json.loads(before), json.loads(after)
    for name in ("priority", "budget_usd"):
        differs = first[name] != second[name]
        assert (name in named) is differs or (differs and "more" in told)


@given(REQUESTS)
def test_a_request_read_back_from_its_canonical_form_is_the_same(request: dict[str, Any]) -> None:
    assert written(json.loads(written(request))) == written(request)


def test_of_many_differences_some_are_named_and_the_others_counted() -> None:
    base = {"request_id": "r", "model": "m", "files": [{"file_id": 1, "s3_key": "a.mov"}]}
    crowded = {**base, "metadata": {f"k{n}": n for n in range(9)}}
    assert differing(written(base), written(crowded)) == (
        "metadata.k0, metadata.k1, metadata.k2, metadata.k3, metadata.k4, 4 more"
    )
