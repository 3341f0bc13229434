"""Where a batch stood: by its newest plan, and by what it left behind at its end."""

import msgspec

from consumers.core import layout
from consumers.core.faults import Rejected
from consumers.core.foreign import nothing_bought
from consumers.core.lifecycle import BatchState
from consumers.core.plan_reading import PlanHead
from consumers.core.restored import Standing
from consumers.core.world import World
from consumers.rebuild.kept import Kept
from consumers.rebuild.plans import Plans


class _Manifest(msgspec.Struct):
    state: BatchState
    revision: int
    reason: str | None = None
    round: int | None = None


def standing_of(kept: Kept, plans: Plans, world: World) -> Standing:
    """Tell how far a batch was. Its end counts if no plan is newer and no job of it is open."""
    newest = max(plans.heads, key=lambda head: head.round)
    manifest = _manifest(kept, world)
    if manifest is None or manifest.revision < newest.revision:
        return _running(newest, newest.revision, world)
    if _is_older(manifest, newest) or plans.jobs_open:
        return _running(newest, manifest.revision + bool(plans.jobs_open), world)
    return Standing(
        revision=manifest.revision,
        round=newest.round,
        retried=newest.retried,
        first_round=newest.first_round,
        cursor=newest.cursor,
        stopped=_stopped(newest),
        end=manifest.state,
        reason=manifest.reason or "",
    )


def _is_older(manifest: _Manifest, newest: PlanHead) -> bool:
    """Tell whether a round was planned after a manifest that was written in vain."""
    return manifest.round is not None and manifest.round < newest.round


def _running(newest: PlanHead, revision: int, world: World) -> Standing:
    again = revision > newest.revision
    return Standing(
        revision=revision,
        round=newest.round,
        retried=revision - 1 if again else newest.retried,
        first_round=newest.round if again else newest.first_round,
        canary=world.policy.canary_chunks,
        cursor=newest.cursor,
        stopped=_stopped(newest),
    )


def _stopped(newest: PlanHead) -> str:
    """Say why nothing of a batch is bought that was taken in; any other may be bought."""
    source = str(newest.cursor.get("adopted") or "")
    return nothing_bought(source) if source else ""


def _manifest(kept: Kept, world: World) -> _Manifest | None:
    if not kept.has("manifest"):
        return None
    key = layout.manifest_json_key(kept.batch_id)
    text = b"\n".join(line for _, line in world.objects.lines(key))
    try:
        return msgspec.json.decode(text, type=_Manifest)
    except (msgspec.DecodeError, ValueError) as error:
        raise Rejected(f"{key} tells no end of a batch: {error}", "invalid_manifest") from error
