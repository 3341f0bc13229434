"""What a request asks of its model and of the analyses, against what they can do."""

from collections.abc import Iterable, Iterator

from schemas.analyses import Registry
from schemas.inference import Bounds
from schemas.kinds import Kind
from schemas.messages import SubmitBatch
from schemas.models import Model
from schemas.options import Options
from schemas.wording import clip

LONGEST_LIST = 400


def asked_problem(message: SubmitBatch, model: Model, analyses: Registry) -> tuple[str, str] | None:
    """Say why options or analysis types cannot be had (a code and a sentence), or None where they can."""
    return _types_problem(message.analysis_types, model, analyses) or next(
        (("invalid_message", why) for why in _over(message.options, model)), None
    )


def _types_problem(asked: tuple[str, ...], model: Model, analyses: Registry) -> tuple[str, str] | None:
    unknown = [name for name in asked if name not in analyses.names]
    if unknown:
        return "unknown_analysis_type", (
            f'Field "analysis_types": {_listed(unknown)} unknown. Use some of {_listed(analyses.names)}, '
            "or have an operator add a type in NOVABATCH_ANALYSES_DIR."
        )
    doubled = sorted(
        {part for kind in Kind for part in analyses.parts_of("combined", kind)}.intersection(asked)
    )
    if "combined" in asked and doubled:
        why = f'"combined" holds {", ".join(doubled)} already. Ask for one of the two.'
        return "invalid_message", f'Field "analysis_types": {why}'
    if len(asked) > model.max_records:
        why = f"{len(asked)} types are {len(asked)} records a file, over the limit of {model.max_records}"
        return "invalid_message", f'Field "analysis_types": {why} a job of {model.id}. Ask for fewer.'
    return None


def _over(options: Options, model: Model) -> Iterator[str]:
    """Say which options are over the model's limits; what is under one is moved up to it when it is sent."""
    limits: dict[str, Bounds] = {
        "max_tokens": (1, model.max_output_tokens),
        "temperature": model.temperature,
        "top_p": model.top_p,
    }
    for name, (_, most) in limits.items():
        asked = getattr(options, name)
        if asked is not None and asked > most:
            why = f"{asked} is over the limit of {most} of {model.id}. Lower it, or leave it out."
            yield f'Field "options.{name}": {why}'


def _listed(names: Iterable[str]) -> str:
    return clip(", ".join(names), LONGEST_LIST)
