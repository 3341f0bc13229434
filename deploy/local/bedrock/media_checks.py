"""Finding the media a prompt names, and refusing what Bedrock refuses."""

import re
from typing import Any

from deploy.local.bedrock.duration import is_readable
from deploy.local.bedrock.prompts import Media, RecordRefusedError
from deploy.local.bedrock.storage import Storage, split
from deploy.local.knobs import Knobs

VALID_URI = re.compile(r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]/[A-Za-z0-9._\-/%]+")
OUTSIDE = (
    "The S3 resource locations in your prompt do not match the folder prefix specified in "
    "CreateModelInvocationJob InputDataConfig parameter. Batch Inference requires both JSONL and S3 "
    "resources to be in the same S3 bucket and folder (paths are case-sensitive). If you intend to use S3 "
    "URIs in prompts, the InputDataConfig parameter must specify a folder containing all linked resources, "
    "not an individual .jsonl file."
)


def find(media: Media, input_uri: str, storage: Storage, knobs: Knobs) -> Any:
    """Return the object a prompt names, or raise the record's error."""
    if not VALID_URI.fullmatch(media.uri):
        raise RecordRefusedError("Provided S3 URI is invalid")
    if not input_uri.endswith("/") or not media.uri.startswith(input_uri):
        raise RecordRefusedError(OUTSIDE)
    found = storage.find(*split(media.uri))
    if found is None:
        raise RecordRefusedError(f"The S3 object {media.uri} does not exist", knobs.missing_object_code)
    if media.kind == "video" and found.size > knobs.max_video_bytes:
        raise RecordRefusedError(
            f"The video {media.uri} is larger than the maximum of {knobs.max_video_bytes} bytes"
        )
    content_type = found.metadata.get("Content-Type", "")
    if not content_type.startswith(f"{media.kind}/"):
        raise RecordRefusedError(
            f"The content type {content_type} of {media.uri} is not valid for {media.kind} input"
        )
    if knobs.check_media and not is_readable(media.kind, found):
        raise RecordRefusedError(f"The {media.kind} {media.uri} could not be decoded")
    return found
