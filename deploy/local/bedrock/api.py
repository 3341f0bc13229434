"""The four operations on jobs and two on models, hung into moto's own Bedrock response class."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from moto.bedrock.responses import BedrockResponse

from deploy.local.bedrock import listing
from deploy.local.bedrock.checks import check
from deploy.local.bedrock.engine import Engine
from deploy.local.bedrock.errors import BedrockError, invalid
from deploy.local.bedrock.jobs import check_arn
from deploy.local.bedrock.models import foundation_model, inference_profile
from deploy.local.patching import original


def apply(engine: Engine) -> None:
    """Add the operations to moto's Bedrock."""
    original(BedrockResponse, "dispatch")
    api = BatchApi(engine)
    added: Any = BedrockResponse
    added.create_model_invocation_job = _method(api.create)
    added.get_model_invocation_job = _method(api.get)
    added.list_model_invocation_jobs = _method(api.list)
    added.stop_model_invocation_job = _method(api.stop)
    added.get_foundation_model = _method(get_foundation_model)
    added.get_inference_profile = _method(get_inference_profile)


def _method(handle: Callable[[Any], str]) -> Callable[[Any], str]:
    """Make a plain function of a bound method: only a function is bound to moto's response object."""

    def call(response: Any) -> str:
        return handle(response)

    return call


def get_foundation_model(response: Any) -> str:
    """Describe a foundation model of the Region."""
    name = _named(response, "GetFoundationModel", "modelIdentifier")
    return json.dumps({"modelDetails": foundation_model(name, response.region)})


def get_inference_profile(response: Any) -> str:
    """Describe a profile of inference that can be used from the Region."""
    name = _named(response, "GetInferenceProfile", "inferenceProfileIdentifier")
    return json.dumps(inference_profile(name, response.current_account, response.region))


class BatchApi:
    """CreateModelInvocationJob and the three others."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs = engine.jobs

    def create(self, response: Any) -> str:
        """Take in a job, or return the one its token already made."""
        request = _json(response.body)
        check("CreateModelInvocationJob", request)
        job = self._engine.submit(response.current_account, response.region, request)
        return json.dumps({"jobArn": job.arn})

    def get(self, response: Any) -> str:
        """Describe one job."""
        job = self._job(response, "GetModelInvocationJob")
        return json.dumps(job.describe(counts=self._engine.knobs.report_counts))

    def list(self, response: Any) -> str:
        """Describe one page of jobs."""
        query: dict[str, Any] = dict(parse_qsl(urlsplit(response.uri).query))
        if "maxResults" in query:
            query["maxResults"] = _integer(query["maxResults"])
        check("ListModelInvocationJobs", query)
        jobs, token = listing.page(self._jobs.of(response.current_account, response.region), query)
        counts = self._engine.knobs.report_counts
        answer: dict[str, Any] = {"invocationJobSummaries": [job.describe(counts=counts) for job in jobs]}
        return json.dumps(answer | ({"nextToken": token} if token else {}))

    def stop(self, response: Any) -> str:
        """Begin to stop a job that has not ended."""
        job = self._job(response, "StopModelInvocationJob")
        if not self._engine.stop(job):
            raise BedrockError(
                "ConflictException", f"The job {job.arn} cannot be stopped in status {job.status}."
            )
        return "{}"

    def _job(self, response: Any, operation: str) -> Any:
        arn = _named(response, operation, "jobIdentifier")
        check_arn(arn, response.current_account, response.region)
        return self._jobs.get(arn)


def _named(response: Any, operation: str, field: str) -> str:
    name = unquote(response.uri_match[field])
    check(operation, {field: name})
    return name


def _json(body: Any) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError as error:
        raise invalid("The request is not JSON") from error
    if not isinstance(read, dict):
        raise invalid("The request is not a JSON object")
    return read


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise invalid(f"Value '{text}' at 'maxResults' must be an integer") from error
