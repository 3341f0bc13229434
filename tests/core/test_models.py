import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.models import BadModelTable, Model, ModelTable, base_model, load_models
from schemas.options import Options

NOTED = date(2026, 11, 1)
PRICE = {
    "input_per_million": 0.1,
    "output_per_million": "0.2",
    "on_demand_input_per_million": "0.2",
    "on_demand_output_per_million": "0.4",
    "since": "2027-01-01",
}


def found(table: ModelTable, name: str) -> Model:
    model = table.find(name)
    assert model is not None
    return model


def with_file(*models: dict[str, Any]) -> ModelTable:
    return load_models(json.dumps({"models": models}))


@pytest.mark.parametrize(
    ("alias", "model_id", "batch", "on_demand", "most_tokens"),
    [
        ("nova-micro", "us.amazon.nova-micro-v1:0", ("0.0175", "0.07"), ("0.035", "0.14"), 10_000),
        ("nova-lite", "us.amazon.nova-lite-v1:0", ("0.03", "0.12"), ("0.06", "0.24"), 10_000),
        ("nova-pro", "us.amazon.nova-pro-v1:0", ("0.40", "1.60"), ("0.80", "3.20"), 10_000),
        ("nova-2-lite", "us.amazon.nova-2-lite-v1:0", ("0.165", "1.375"), ("0.33", "2.75"), 65_535),
        ("global-nova-2-lite", "global.amazon.nova-2-lite-v1:0", ("0.15", "1.25"), ("0.30", "2.50"), 65_535),
    ],
)
def test_the_built_in_models_have_aliases_limits_and_prices(
    alias: str, model_id: str, batch: tuple[str, str], on_demand: tuple[str, str], most_tokens: int
) -> None:
    model = found(load_models(), alias)
    price = model.price_on(NOTED)
    assert price is not None
    assert model.id == model_id
    assert model.max_output_tokens == most_tokens
    assert (price.input_per_million, price.output_per_million) == tuple(map(Decimal, batch))
    assert (price.on_demand_input_per_million, price.on_demand_output_per_million) == tuple(
        map(Decimal, on_demand)
    )
    assert (model.min_records, model.max_records, model.slots) == (100, 50_000, 20)


def test_a_model_is_found_by_id_alias_and_arn_and_never_guessed() -> None:
    table = load_models()
    by_id = table.find("us.amazon.nova-lite-v1:0")
    assert by_id is table.find("nova-lite")
    assert by_id is table.find(
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
    )
    assert table.find("us.amazon.nova-premier-v1:0") is None
    assert table.find("Nova-Lite") is None
    assert {"nova-lite", "us.amazon.nova-lite-v1:0"} <= set(table.names())


def test_profiles_of_one_model_share_their_base_model() -> None:
    table = load_models()
    assert found(table, "nova-2-lite").base_model == "amazon.nova-2-lite-v1:0"
    assert found(table, "global-nova-2-lite").base_model == "amazon.nova-2-lite-v1:0"
    assert base_model("amazon.nova-lite-v1:0") == "amazon.nova-lite-v1:0"
    assert base_model("us-gov.amazon.nova-lite-v1:0") == "amazon.nova-lite-v1:0"


def test_the_price_of_a_day_is_the_last_one_begun() -> None:
    later = PRICE | {"since": "2027-06-01", "input_per_million": "0.3"}
    model = found(with_file({"id": "us.amazon.nova-lite-v1:0", "prices": [later, PRICE]}), "nova-lite")
    days = [date(2026, 1, 1), date(2027, 1, 1), date(2027, 5, 31), date(2027, 6, 1)]
    prices = [price.input_per_million for day in days if (price := model.price_on(day))]
    assert prices == [Decimal("0.1"), Decimal("0.1"), Decimal("0.1"), Decimal("0.3")]


def test_the_file_changes_only_what_it_names() -> None:
    before = found(load_models(), "nova-lite")
    after = found(with_file({"id": "us.amazon.nova-lite-v1:0", "slots": 100}), "nova-lite")
    assert after.slots == 100
    assert (after.prices, after.max_records, after.aliases) == (
        before.prices,
        before.max_records,
        before.aliases,
    )


def test_the_file_adds_models_without_a_price() -> None:
    table = with_file({"id": "eu.vendor.new-v1:0", "aliases": ["new"], "max_output_tokens": 4096})
    model = found(table, "new")
    assert (model.base_model, model.price_on(NOTED)) == ("vendor.new-v1:0", None)
    assert table.find("nova-lite") is not None


def test_the_file_tells_when_a_model_ends_and_when_its_price_was_last_looked_at() -> None:
    price = PRICE | {"checked_on": "2027-02-03"}
    entry = {"id": "us.amazon.nova-lite-v1:0", "ends_on": "2027-05-06", "prices": [price]}
    model = found(with_file(entry), "nova-lite")
    assert (model.ends_on, model.prices[0].known_on) == (date(2027, 5, 6), date(2027, 2, 3))
    assert found(load_models(), "nova-lite").ends_on is None


def test_settings_give_the_limits_the_file_does_not() -> None:
    text = json.dumps({"models": [{"id": "us.amazon.nova-lite-v1:0", "slots": 7}]})
    table = load_models(text, slots=3, min_records=5, max_file_bytes=9)
    lite, pro = found(table, "nova-lite"), found(table, "nova-pro")
    assert (lite.slots, pro.slots) == (7, 3)
    assert (pro.min_records, pro.max_file_bytes) == (5, 9)


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_without_a_file_the_built_in_models_remain(text: str | None) -> None:
    assert load_models(text).names() == load_models().names()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"Invalid JSON.*Write one JSON object"),
        ("[1]", r"the text cannot be \[1\]"),
        ('{"models": [{"id": "x.y", "max_output_tokens": 5, "slot": 1}]}', r"models\.0\.slot is not known"),
        ('{"models": [{"slots": 1}]}', r"models\.0\.id is missing\. Write it"),
        ('{"models": [{"id": "x.y"}]}', r"models\.0\.max_output_tokens is missing: x\.y is new"),
        ('{"models": [{"id": "x.y", "slots": 0}]}', r"models\.0\.slots cannot be 0.*Correct it"),
        ('{"models": [{"id": "x.y", "slots": true}]}', r"models\.0\.slots cannot be True"),
        ('{"models": [{"id": "x.y", "top_p": [1]}]}', r"models\.0\.top_p\.1 is missing"),
        (
            '{"models": [{"id": "x.y", "temperature": [1, 0]}]}',
            r"models\.0\.temperature cannot be.*least value",
        ),
        (
            '{"models": [{"id": "x.y", "max_output_tokens": 5, "min_records": 9, "max_records": 2}]}',
            r"MIN_RECORDS is 9, more than the 2 records.*x\.y",
        ),
        (
            '{"models": [{"id": "x.y", "max_output_tokens": 5, "aliases": ["nova-lite"]}]}',
            r"'nova-lite' stands for both",
        ),
        (
            json.dumps({"models": [{"id": "x.y", "prices": [PRICE | {"input_per_million": -1}]}]}),
            r"models\.0\.prices\.0\.input_per_million cannot be",
        ),
        (
            json.dumps({"models": [{"id": "x.y", "prices": [PRICE | {"input_per_million": "0.1234567"}]}]}),
            r"models\.0\.prices\.0\.input_per_million cannot be.*no more than 6 decimal places",
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_field_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(BadModelTable, match=message):
        load_models(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"summary_depth": "endless"},
        {"language": "de</file_context>"},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"temperature": -0.5},
        {"temperature": float("inf")},
        {"top_p": float("nan")},
        {"reuse": "sometimes"},
        {"unknown": 1},
    ],
)
def test_options_out_of_range_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Options(**fields)


def test_options_have_the_documented_defaults() -> None:
    assert Options().model_dump() == {
        "summary_depth": "standard",
        "language": "auto",
        "max_tokens": None,
        "temperature": None,
        "top_p": None,
        "reuse": "same",
    }
