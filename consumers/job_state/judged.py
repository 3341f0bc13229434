"""An output line as the record it answers is stored."""

from decimal import Decimal

import msgspec

from consumers.core.planned import planned_analysis
from consumers.core.results import OutputLine, judge
from consumers.core.rows import JudgedRecord, SentAs
from consumers.core.world import World
from schemas.shapes.analysis import Analysis


def analysis_of(record: SentAs, world: World) -> Analysis:
    """Return the analysis that a record was sent for, as it is now."""
    return planned_analysis(world.analyses, record.analysis_type, record.s3_key, record.kind)


def judged_record(
    line: OutputLine,
    record: SentAs,
    asked: Analysis,
    cost_usd: Decimal | None = None,
    prompt_version: str = "",
) -> JudgedRecord:
    """Judge a line by the analysis its record asked for."""
    judged = judge(line, asked)
    answered = judged.result is not None
    return JudgedRecord(
        position=record.position,
        analysis_type=record.analysis_type,
        attempt=record.attempt,
        outcome=judged.outcome,
        result=msgspec.json.encode(judged.result).decode() if answered else None,
        raw_text=judged.raw_text,
        error_code=judged.error_code,
        error_message=judged.error_message,
        retryable=judged.retryable,
        repaired=judged.repaired,
        stop_reason=judged.stop_reason,
        missing=len(judged.missing) if answered else None,
        input_tokens=judged.input_tokens,
        output_tokens=judged.output_tokens,
        cost_usd=cost_usd,
        prompt_version=prompt_version,
    )
