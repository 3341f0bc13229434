"""The objects of our bucket and of the buckets originals lie in, on S3."""

from daemon.adapters.s3.objects import BRIEF, PATIENT, S3Objects

__all__ = ["BRIEF", "PATIENT", "S3Objects"]
