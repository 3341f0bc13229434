"""Whether the account and Region offer a model, as Bedrock's control plane tells."""

from typing import TYPE_CHECKING

from daemon.adapters.aws import faults_of
from schemas.models import PROFILE_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient

ACTIVE = "ACTIVE"


class Offers:
    """The models that can be had. Whether batches can use one shows at the first job only."""

    def __init__(self, client: "BedrockClient") -> None:
        self._client = client

    def standing(self, model_id: str) -> str:
        """Return how a model stands, ACTIVE or LEGACY; raises Missing or Rejected where it is not offered.

        An id with a geography before it is one of a profile of inference, any other of a foundation model.
        """
        if PROFILE_PREFIX.match(model_id):
            with faults_of("GetInferenceProfile", model_id):
                return self._client.get_inference_profile(inferenceProfileIdentifier=model_id)["status"]
        with faults_of("GetFoundationModel", model_id):
            details = self._client.get_foundation_model(modelIdentifier=model_id)["modelDetails"]
        return details.get("modelLifecycle", {}).get("status", ACTIVE)
