"""How a sender wants the analyses of a batch to be made."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LANGUAGE = r"^(auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)$"

SummaryDepth = Literal["brief", "standard", "detailed"]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel):
    """The options of a request; the same for every file of the batch.

    `language` is `auto` or an ISO code such as `de` or `pt-BR`. `max_tokens`, `temperature` and `top_p`
    override the defaults of the analysis; whether the model allows that many tokens is for the caller to
    check against the model table. `reuse` `same` links an equal earlier result instead of buying it again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    summary_depth: SummaryDepth = "standard"
    language: Annotated[str, Field(pattern=LANGUAGE, max_length=35)] = "auto"
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Ratio | None = None
    top_p: Ratio | None = None
    reuse: Literal["same", "never"] = "same"
