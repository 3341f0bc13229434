"""The EventBridge event of a batch inference job, read as leniently as AWS writes it."""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.functional_validators import BeforeValidator

from schemas.queues import Queue

DETAIL_TYPE: Final = "Batch Inference Job State Change"
JobArn = Annotated[
    str,
    StringConstraints(pattern=r"^arn:aws[^:]*:bedrock:[^:]+:[0-9]{12}:model-invocation-job/[a-z0-9]{12}$"),
]


def _text(value: object) -> object:
    return "" if value is None else value


class JobDetail(BaseModel):
    """What we use of the event's detail; everything else is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    arn: JobArn = Field(alias="batchJobArn")
    name: str = Field(alias="batchJobName")
    status: str
    failure: Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "null"]})] = Field(
        "", alias="failureMessage"
    )


class JobStateChange(BaseModel):
    """A job changed its state: a hint; the truth is GetModelInvocationJob.

    ``time`` and ``creationTime`` are not ISO-8601 in AWS's own sample and are not read
    (AWS: "Monitor batch inference jobs using EventBridge").
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)
    queue: ClassVar[Queue] = Queue.STATE

    detail_type: Literal["Batch Inference Job State Change"] = Field(DETAIL_TYPE, alias="detail-type")
    source: str = "novabatch"
    account: str = ""
    region: str = ""
    detail: JobDetail

    @classmethod
    def hint(cls, arn: str, name: str, status: str) -> "JobStateChange":
        """Make the message by which the reconciler stands in for an event that never came."""
        detail: dict[str, Any] = {"batchJobArn": arn, "batchJobName": name, "status": status}
        region, account = arn.split(":")[3:5]
        return cls.model_validate({"account": account, "region": region, "detail": detail})
