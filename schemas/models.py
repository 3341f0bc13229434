"""The models novabatch can use: ids, aliases, limits, the day they end, and prices with their dates.

Sources: limits from AWS's Bedrock quotas page for batch inference, output limits from the per-record
errors of live jobs, prices from AWS's Bedrock price list as noted on the date they carry, bounds of the
sampling settings from AWS's request schemas of Nova and Nova 2. Those say "greater than 0" where other
pages of the same guides ask for a temperature of 0, so the least values only move a setting up to them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.inference import Bounds

PROFILE_PREFIX = re.compile(r"^(?:global|apac|[a-z]{2}(?:-gov)?)\.")

MAX_RECORDS = 50_000
MIN_RECORDS = 100
MAX_JOB_BYTES = 5_000_000_000
MAX_FILE_BYTES = 1_000_000_000
SLOTS = 20
ANY_RATIO: Bounds = (0.0, 1.0)
ABOVE_ZERO: Bounds = (0.00001, 1.0)


class BadModelTable(ValueError):
    """The text of MODELS_FILE cannot be used; the message names each field and what to write there."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens at the batch rate and on demand, from the day `since`.

    `checked_on` is the day somebody last found it to be so; None where nobody looked since it began.
    """

    input_per_million: Decimal
    output_per_million: Decimal
    on_demand_input_per_million: Decimal
    on_demand_output_per_million: Decimal
    since: date
    checked_on: date | None = None

    @property
    def known_on(self) -> date:
        """Return the last day on which it was known to be right."""
        return self.checked_on or self.since


@dataclass(frozen=True, slots=True)
class Model:
    """One model: the id jobs are created with, its limits and its prices (oldest first).

    Records are per job, bytes are per job (all that lies under the input folder) and per media file,
    `slots` are open jobs per account, Region and base model. `temperature` and `top_p` are the least and
    the greatest value the model takes. `ends_on` is the first day (UTC) on which AWS answers for it no more;
    None where no end is known.
    """

    id: str
    base_model: str
    aliases: tuple[str, ...]
    max_output_tokens: int
    max_records: int = MAX_RECORDS
    min_records: int = MIN_RECORDS
    max_job_bytes: int = MAX_JOB_BYTES
    max_file_bytes: int = MAX_FILE_BYTES
    temperature: Bounds = ANY_RATIO
    top_p: Bounds = ANY_RATIO
    slots: int = SLOTS
    prices: tuple[Price, ...] = ()
    ends_on: date | None = None

    def price_on(self, day: date) -> Price | None:
        """Return the price of that day, or None where no price is known.

        The date of the first price says when it was noted, not when it began: it also serves earlier days.
        """
        begun = [price for price in self.prices if price.since <= day]
        return begun[-1] if begun else next(iter(self.prices), None)


@dataclass(frozen=True, slots=True)
class ModelTable:
    """All usable models; what is not in it is unknown and refused by the caller."""

    models: tuple[Model, ...]
    _by_name: Mapping[str, Model] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Model] = {}
        for model in self.models:
            for name in (model.id, *model.aliases):
                other = by_name.setdefault(name, model)
                if other is not model:
                    raise BadModelTable(
                        f"The name {name!r} stands for both {other.id} and {model.id}. "
                        f"Remove it from the aliases of one of them."
                    )
        object.__setattr__(self, "_by_name", by_name)

    def find(self, name: str) -> Model | None:
        """Return the model with this id, alias or ARN (of a model or an inference profile)."""
        name = name.rpartition("/")[2] if name.startswith("arn:") else name
        return self._by_name.get(name)

    def names(self) -> tuple[str, ...]:
        """Return every id and alias, sorted, as an error message would list them."""
        return tuple(sorted(self._by_name))


def base_model(model_id: str) -> str:
    """Return the id without its profile prefix: `us.amazon.nova-…` and `global.amazon.nova-…` share slots."""
    return PROFILE_PREFIX.sub("", model_id)


def load_models(
    text: str | None = None,
    *,
    slots: int = SLOTS,
    min_records: int = MIN_RECORDS,
    max_file_bytes: int = MAX_FILE_BYTES,
) -> ModelTable:
    """Build the table from the built-in models and the JSON text of MODELS_FILE, if there is one.

    The keyword limits are those of the settings; they hold for every model whose own entry in the file
    says nothing else. The file is `{"models": [{"id": ..., ...}]}`: an entry with a known id changes the
    fields it names (`prices` and `aliases` as a whole), any other adds a model. Raises BadModelTable.
    """
    models = {
        model.id: replace(model, slots=slots, min_records=min_records, max_file_bytes=max_file_bytes)
        for model in BUILT_IN
    }
    for position, entry in enumerate(_entries(text)):
        known = models.get(entry.id) or Model(
            id=entry.id,
            base_model=base_model(entry.id),
            aliases=(),
            max_output_tokens=entry.max_output_tokens or 0,
            slots=slots,
            min_records=min_records,
            max_file_bytes=max_file_bytes,
        )
        models[entry.id] = _checked(replace(known, **entry.changes()), position)
    for model in models.values():
        _check_minimum(model)
    return ModelTable(tuple(models.values()))


def _check_minimum(model: Model) -> None:
    if model.min_records > model.max_records:
        raise BadModelTable(
            f"MIN_RECORDS is {model.min_records}, more than the {model.max_records} records a job of "
            f"{model.id} may have. Write a smaller one; in MODELS_FILE, min_records or max_records."
        )


def _checked(model: Model, position: int) -> Model:
    if not model.max_output_tokens:
        raise BadModelTable(
            f"MODELS_FILE: models.{position}.max_output_tokens is missing: {model.id} is new, so write "
            f"how many tokens it may answer with (an integer, e.g. 10000)."
        )
    return model


def _entries(text: str | None) -> "list[_Entry]":
    if text is None or not text.strip():
        return []
    try:
        return _File.model_validate_json(text).models
    except ValidationError as error:
        raise BadModelTable("MODELS_FILE: " + "; ".join(map(_remedy, error.errors()))) from error


def _remedy(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the text"
    if error["type"] == "json_invalid":
        return f'{error["msg"]}. Write one JSON object: {{"models": [{{"id": "...", ...}}]}}'
    if error["type"] == "extra_forbidden":
        return f"{where} is not known. Remove it, or check its spelling"
    if error["type"] == "missing":
        return f"{where} is missing. Write it"
    return f"{where} cannot be {error['input']!r}: {error['msg']}. Correct it"


def _plain_number(value: object) -> object:
    """Take a JSON number through its shortest text: 0.165 stays 0.165."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _in_order(bounds: Bounds) -> Bounds:
    if bounds[0] > bounds[1]:
        raise ValueError("the first is the least value, the second the greatest")
    return bounds


_Limit = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
_Bounds = Annotated[tuple[_Limit, _Limit], AfterValidator(_in_order)]
# A token then costs whole units of 10^-12 USD, the least that the store keeps: no cost is ever rounded.
_Usd = Annotated[Decimal, BeforeValidator(_plain_number), Field(ge=0, decimal_places=6, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _PriceEntry(_Strict):
    input_per_million: _Usd
    output_per_million: _Usd
    on_demand_input_per_million: _Usd
    on_demand_output_per_million: _Usd
    since: date
    checked_on: date | None = None


class _Entry(_Strict):
    id: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9._:-]+$")]
    base_model: Annotated[str, Field(min_length=1)] | None = None
    aliases: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    max_records: _Count | None = None
    min_records: _Count | None = None
    max_job_bytes: _Count | None = None
    max_file_bytes: _Count | None = None
    max_output_tokens: _Count | None = None
    temperature: _Bounds | None = None
    top_p: _Bounds | None = None
    slots: _Count | None = None
    prices: tuple[_PriceEntry, ...] | None = None
    ends_on: date | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields this entry sets, as the model wants them."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        if self.prices is not None:
            prices = (Price(**price.model_dump()) for price in self.prices)
            given["prices"] = tuple(sorted(prices, key=lambda price: price.since))
        return {name: value for name, value in given.items() if value is not None}


class _File(_Strict):
    models: list[_Entry]


def _nova(model_id: str, alias: str, max_output_tokens: int, *usd: str) -> Model:
    batch_in, batch_out, on_demand_in, on_demand_out = map(Decimal, usd)
    price = Price(batch_in, batch_out, on_demand_in, on_demand_out, since=date(2026, 11, 1))
    return Model(
        model_id, base_model(model_id), (alias,), max_output_tokens, top_p=ABOVE_ZERO, prices=(price,)
    )


def _nova_2(model_id: str, alias: str, *usd: str) -> Model:
    return replace(_nova(model_id, alias, 65_535, *usd), temperature=ABOVE_ZERO, top_p=ANY_RATIO)


# USD per million tokens: batch in, batch out, on demand in, on demand out.
BUILT_IN = (
    _nova("us.amazon.nova-micro-v1:0", "nova-micro", 10_000, "0.0175", "0.07", "0.035", "0.14"),
    _nova("us.amazon.nova-lite-v1:0", "nova-lite", 10_000, "0.03", "0.12", "0.06", "0.24"),
    _nova("us.amazon.nova-pro-v1:0", "nova-pro", 10_000, "0.40", "1.60", "0.80", "3.20"),
    _nova_2("us.amazon.nova-2-lite-v1:0", "nova-2-lite", "0.165", "1.375", "0.33", "2.75"),
    _nova_2("global.amazon.nova-2-lite-v1:0", "global-nova-2-lite", "0.15", "1.25", "0.30", "2.50"),
)
