"""The models the emulated Bedrock knows, and what each allows in a batch."""

import re

from deploy.local.bedrock.errors import invalid

NO_BATCH = "Batch inference is not supported for the requested model."
OUTPUT_TOKEN_LIMIT = {
    "amazon.nova-micro-v1:0": 10_000,
    "amazon.nova-lite-v1:0": 10_000,
    "amazon.nova-pro-v1:0": 10_000,
    "amazon.nova-2-lite-v1:0": 65_535,
}
WITHOUT_BATCH = (
    "amazon.nova-premier-v1:0",
    "amazon.nova-canvas-v1:0",
    "amazon.nova-reel-v1:0",
    "amazon.nova-sonic-v1:0",
)
PROFILE = re.compile(r"^(us|eu|apac|jp|au|ca|us-gov|global)\.(?=amazon\.)")


def base_model(model_id: str) -> str:
    """Return the foundation model behind an id, an inference profile or an ARN, if it can run batches."""
    name = PROFILE.sub("", model_id.rsplit("/", 1)[-1])
    if name in OUTPUT_TOKEN_LIMIT:
        return name
    raise invalid(NO_BATCH if name in WITHOUT_BATCH else "The provided model identifier is invalid.")
