"""What a batch will take in tokens, money and time, before it is bought."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.chunks import Cut
from consumers.core.cost import cost
from consumers.core.cutting import Cutter, Item
from consumers.core.forecast import expected_end, file_tokens, key_tokens, prompt_tokens
from consumers.core.lifecycle import BatchState
from consumers.core.manifest import PADDING_TEXT
from consumers.core.rows import Batch, NewRecord
from consumers.core.tokens import IMAGE_TOKENS, MOST_VIDEO_TOKENS, media_tokens
from schemas.analyses import REGISTRY
from schemas.messages import Terms
from schemas.models import Model, load_models
from schemas.options import Options

DAY = date(2026, 11, 20)
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)


def model(name: str = "nova-2-lite") -> Model:
    found = load_models().find(name)
    assert found is not None
    return found


def batch_of(name: str = "nova-2-lite") -> Batch:
    terms = Terms(request_id="r", model=name)
    return Batch("b" * 21, "r", terms, name, "media", BatchState.PLANNING, "", 1, 0, {}, False, NOW)


def item(position: int, tokens: int, *, key: str = "a/1.mov", most: int = 100) -> Item:
    return Item(position, str(position), key, 1000, (NewRecord(position, "combined", 1, most),), tokens)


@pytest.mark.parametrize(
    ("seconds", "tokens"), [(1, 288), (60.2, 61 * 288), (959, 276_192), (960, 276_480), (86_400, 276_480)]
)
def test_a_video_takes_288_tokens_a_second_up_to_16_minutes(seconds: float, tokens: int) -> None:
    assert media_tokens("video", seconds, None) == (tokens, False)


@pytest.mark.parametrize(("size", "tokens"), [(61_000_000, 61 * 288), (1, 288), (None, MOST_VIDEO_TOKENS)])
def test_without_a_duration_the_length_is_guessed_and_says_so(size: int | None, tokens: int) -> None:
    assert media_tokens("video", None, size) == (tokens, True)


def test_an_image_is_always_a_guess() -> None:
    assert file_tokens("image", {}, 5_000_000) == (IMAGE_TOKENS, True)


@given(st.floats(0, 1e9), st.none() | st.integers(0, 10**12))
def test_an_estimate_never_exceeds_what_a_video_can_take(seconds: float, size: int | None) -> None:
    assert 288 <= media_tokens("video", seconds, size)[0] <= MOST_VIDEO_TOKENS


def test_a_duration_in_the_context_is_believed_and_the_context_is_read_too() -> None:
    context = {"path": "Smith/pool", "duration_seconds": 61}
    tokens, assumed = file_tokens("video", context, 1)
    assert not assumed
    assert tokens == 61 * 288 + -(-len('{"path": "Smith/pool", "duration_seconds": 61}') // 4)


@pytest.mark.parametrize("said", ["61", True, 0, -5, float("nan"), float("inf"), None, [61]])
def test_a_duration_that_can_be_none_is_not_believed(said: object) -> None:
    tokens, assumed = file_tokens("video", {"duration_seconds": said}, 10_000_000)
    assert assumed
    assert tokens - media_tokens("video", 10, None)[0] < 20


def test_a_chunk_costs_at_most_its_media_prompts_answers_and_padding() -> None:
    items = [item(0, 5000, key="a/1.mov", most=4096), item(1, 700, key="a/2.png", most=2048)]
    [chunk] = Cutter(batch_of(), model(), REGISTRY, DAY).chunks(items, [Cut(0, 2, 2000, 2, 98)], 0, 0, NOW)
    prompts = 0
    for kind in ("video", "image"):
        asked = REGISTRY.find("combined", kind)
        assert asked is not None
        prompts += prompt_tokens(asked, Options())
    read = 5000 + 700 + 2 * key_tokens("a/1.mov") + prompts + 98 * -(-len(PADDING_TEXT) // 4)
    assert chunk.estimate_usd == cost(model(), read, 4096 + 2048 + 98, DAY)


def test_a_model_without_a_price_has_no_estimate_and_never_one_of_zero() -> None:
    free = Model("x.y", "x.y", (), 4096)
    [chunk] = Cutter(batch_of(), free, REGISTRY, DAY).chunks([item(0, 1)], [Cut(0, 1, 1, 1, 0)], 0, 0, NOW)
    assert chunk.estimate_usd is None


def test_models_differ_in_what_the_same_files_cost() -> None:
    def estimate(name: str) -> Decimal | None:
        cutter = Cutter(batch_of(name), model(name), REGISTRY, DAY)
        return cutter.chunk([item(0, 10_000)], Cut(0, 1, 1, 1, 0), 0, 0, NOW).estimate_usd

    lite, pro = estimate("nova-lite"), estimate("nova-pro")
    assert lite is not None
    assert pro is not None
    assert pro > 10 * lite


@pytest.mark.parametrize(
    ("before", "chunks", "slots", "turns"), [(0, 1, 20, 1), (0, 20, 20, 1), (1, 20, 20, 2), (0, 3, 0, 3)]
)
def test_a_batch_ends_when_the_slots_have_taken_all_chunks(
    before: int, chunks: int, slots: int, turns: int
) -> None:
    assert expected_end(NOW, before, chunks, slots, timedelta(minutes=15)) == NOW + turns * timedelta(
        minutes=15
    )
