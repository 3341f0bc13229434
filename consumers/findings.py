"""Findings: what a person should look at is stored, and told in the same breath."""

from consumers.core.world import World
from schemas.facts import FindingMade


def find(kind: str, subject: str, detail: str, world: World) -> FindingMade:
    """Store a finding, or refresh it, and return the fact that tells of it."""
    world.store.find(kind, subject, detail, world.now)
    return FindingMade(kind, subject, detail)
