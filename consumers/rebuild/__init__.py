"""Having a lost database again, from plans and results in S3 and Bedrock's own list; nothing is bought."""

from consumers.rebuild.rebuilding import Desk, Rebuilt, rebuild

__all__ = ["Desk", "Rebuilt", "rebuild"]
