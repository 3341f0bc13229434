"""How a sender wants the analyses of a batch to be made."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LANGUAGE = re.compile(r"auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def _language(value: str) -> str:
    if not LANGUAGE.fullmatch(value):
        raise ValueError("must be auto or an ISO code: write it as de or pt-BR")
    return value


SummaryDepth = Literal["brief", "standard", "detailed"]
Language = Annotated[
    str, AfterValidator(_language), Field(json_schema_extra={"pattern": f"^({LANGUAGE.pattern})$"})
]
Temperature = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel):
    """The options of a request; the same for every file of the batch.

    `language` is `auto` or an ISO code such as `de` or `pt-BR`. `max_tokens`, `temperature` and `top_p`
    override the defaults of the analysis; what the model allows is for the caller to check against the
    model table. `reuse` `same` links an equal earlier result instead of buying it again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    summary_depth: SummaryDepth = "standard"
    language: Language = "auto"
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Temperature | None = None
    top_p: Ratio | None = None
    reuse: Literal["same", "never"] = "same"
