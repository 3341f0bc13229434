"""The models the emulated Bedrock knows, where it offers them, and what each allows in a batch."""

import re
from typing import Any

from deploy.local.bedrock.errors import BedrockError, invalid

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


GEOGRAPHIES = {
    "us": "us-(?!gov)",
    "us-gov": "us-gov-",
    "eu": "eu-",
    "apac": "ap-",
    "jp": "ap-northeast-[13]",
    "au": "ap-southeast-[24]",
    "ca": "ca-",
    "global": "",
}


def foundation_model(model_id: str, region: str) -> dict[str, Any]:
    """Describe a foundation model as GetFoundationModel does; an id of a profile is none."""
    name = model_id.rpartition("/")[2]
    if name not in (*OUTPUT_TOKEN_LIMIT, *WITHOUT_BATCH):
        raise invalid("The provided model identifier is invalid.")
    return {
        "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{name}",
        "modelId": name,
        "modelName": name.removeprefix("amazon."),
        "providerName": "Amazon",
        "modelLifecycle": {"status": "ACTIVE"},
    }


def inference_profile(profile_id: str, account: str, region: str) -> dict[str, Any]:
    """Describe a profile as GetInferenceProfile does, where its geography has the Region."""
    name = profile_id.rpartition("/")[2]
    found = PROFILE.match(name)
    model = PROFILE.sub("", name)
    if not found or model not in OUTPUT_TOKEN_LIMIT or not re.match(GEOGRAPHIES[found[1]], region):
        told = f"The requested inference profile {profile_id} does not exist."
        raise BedrockError("ResourceNotFoundException", told)
    return {
        "inferenceProfileName": model.removeprefix("amazon."),
        "inferenceProfileArn": f"arn:aws:bedrock:{region}:{account}:inference-profile/{name}",
        "inferenceProfileId": name,
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model}"}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }
