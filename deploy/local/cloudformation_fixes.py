"""What moto's CloudFormation lacks, and the loading of it without what nobody needs here."""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.sqs.models import sqs_backends

from deploy.local.patching import original, replace

# moto loads the models of every service a template could name: two seconds, of which EC2's catalogue is most.
_NAMES = """
apigateway autoscaling awslambda batch cloudwatch datapipeline dynamodb ec2 ecr ecs efs elb elbv2 emr iot
kinesis rds redshift route53 sagemaker sns ssm stepfunctions
"""
UNUSED = tuple(_NAMES.split())
# Nothing here asks for them: a test looks at them in the template.
IGNORED = ("AWS::S3::BucketPolicy",)
PARTS = ("", ".models", ".models.core", ".utils", ".exceptions")


def apply() -> None:
    """Load CloudFormation into this process, and add what it lacks."""
    with _stand_ins():
        from moto.cloudformation import models, parsing, responses
    # Loaded on demand otherwise, which is too late for a template that names it.
    import moto.logs.models  # noqa: F401

    original(parsing, "NULL_MODELS").extend(IGNORED)
    replace(parsing, "clean_json", _without_nothing(parsing.clean_json))
    for module in (models, responses):
        replace(module, "yaml", _Reader(module.yaml))
    warnings.filterwarnings("ignore", "Tried to parse .* not supported by moto", UserWarning)


def _without_nothing(clean: Callable[..., Any]) -> Callable[..., Any]:
    """Have AWS::NoValue leave nothing behind in lists either, where moto puts a null."""

    def cleaned(*given: Any) -> Any:
        made = clean(*given)
        return [each for each in made if each is not None] if isinstance(made, list) else made

    return cleaned


class _Missing(ModuleType):
    """Stands for a module of moto while CloudFormation is loaded: what is asked of it is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def _stand_ins() -> Iterator[None]:
    names = [f"moto.{service}{part}" for service in UNUSED for part in PARTS]
    added = {name: _Missing(name) for name in names if name not in sys.modules}
    for module in added.values():
        module.__path__ = []
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


class _Reader:
    """Stands for the module yaml in moto: a template in JSON is read as JSON, in a hundredth of the time."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml

    def __getattr__(self, name: str) -> Any:
        return getattr(self._yaml, name)

    def load(self, text: str, Loader: Any) -> Any:  # noqa: N803  # as yaml names it
        """Read a template."""
        return json.loads(text) if text.startswith("{") else self._yaml.load(text, Loader=Loader)


class QueuePolicy(CloudFormationModel):
    """AWS::SQS::QueuePolicy, which moto lacks: the policy of some queues."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        """Name the property that holds its name; it has none."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Name the type as templates do."""
        return "AWS::SQS::QueuePolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> "QueuePolicy":
        """Give the queues their policy."""
        properties = cloudformation_json["Properties"]
        for url in properties["Queues"]:
            name = url.rsplit("/", 1)[-1]
            attributes = {"Policy": json.dumps(properties["PolicyDocument"])}
            sqs_backends[account_id][region_name].set_queue_attributes(name, attributes)
        return cls(resource_name)
