"""What moto's EventBridge gets wrong or does slowly, mended."""

import copy
import functools
import json
from datetime import UTC, datetime
from typing import Any

import jsonpath_ng.ext
from moto.events import models, utils
from moto.sqs.models import sqs_backends

from deploy.local.patching import original, replace

FIELDS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


def apply() -> None:
    """Replace the faulty parts of moto's EventBridge in this process."""
    replace(jsonpath_ng.ext, "parse", functools.lru_cache(maxsize=256)(original(jsonpath_ng.ext, "parse")))
    _pass_events_whole(utils.EventTemplateParser)
    _offer_events_to_rules_that_want_them(models.Rule)
    replace(models.Rule, "_send_to_sqs_queue", send_to_sqs_queue)


def _pass_events_whole(parser: Any) -> None:
    parse = original(parser, "parse")

    def parse_event(
        input_template: str | None, input_paths_map: dict[str, Any], event: dict[str, Any]
    ) -> Any:
        if input_template or input_paths_map:
            return parse(input_template, input_paths_map, event)
        return {name: copy.deepcopy(event[name]) for name in FIELDS if name in event}

    replace(parser, "parse", staticmethod(parse_event))


def _offer_events_to_rules_that_want_them(rule_class: Any) -> None:
    """Leave out rules that are disabled, and schedules: without a pattern moto takes them to match all."""
    send = original(rule_class, "send_to_targets")

    def send_to_targets(self: Any, *args: Any, **rest: Any) -> None:
        if self.state != "DISABLED" and not self.scheduled_expression:
            send(self, *args, **rest)

    replace(rule_class, "send_to_targets", send_to_targets)


def send_to_sqs_queue(rule: Any, queue_name: str, event: dict[str, Any], group_id: str | None = None) -> None:
    """Put an event into a queue: a number as time becomes ISO-8601, a text stays as it is."""
    stamp = event.get("time")
    if isinstance(stamp, int | float):
        event["time"] = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    backend = sqs_backends[rule.account_id][rule.region_name]
    if queue_name not in backend.queues:
        return  # EventBridge retries for a day and then drops; the sender never learns of it
    backend.send_message(queue_name, json.dumps(event), group_id=group_id)


def deliver(account: str, region: str, event: Any) -> None:
    """Offer one event of an AWS service to every rule of the default bus."""
    backend = models.events_backends[account][region]
    for rule in list(backend.describe_event_bus("default").rules.values()):
        rule.send_to_targets(event)
