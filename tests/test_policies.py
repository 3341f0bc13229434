"""The local AWS's reading of IAM policies, by itself: what allows a call, and what denies it."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.permissions.asked import asked, deletions
from deploy.local.permissions.policy import Asked, Grant, Policies
from tests.signed import signed

READ = "s3:GetObject"
OBJECT = "arn:aws:s3:::b/folder/a.mov"
Statement = dict[str, Any]


def allow(action: Any = READ, resource: Any = OBJECT, **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = READ, resource: Any = OBJECT, **more: Any) -> Statement:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def may(statements: Sequence[Statement], action: str = READ, resource: str = OBJECT, **context: str) -> bool:
    named = {key.replace("__", ":"): value for key, value in context.items()}
    return bool(Policies([{"Statement": list(statements)}]).allowing(Asked(action, resource, named)))


# -- effects -----------------------------------------------------------------------------------------------


def test_what_nothing_allows_is_denied() -> None:
    assert not may([])


def test_an_allow_allows() -> None:
    assert may([allow()])


@pytest.mark.parametrize("statements", [[allow(), deny()], [deny(), allow()]], ids=["after", "before"])
def test_a_denial_counts_more_than_a_permission_wherever_it_stands(statements: list[Statement]) -> None:
    assert not may(statements)


def test_a_denial_in_one_policy_counts_against_a_permission_in_another() -> None:
    policies = Policies([{"Statement": allow("s3:*", "*")}, {"Statement": [deny()]}])
    assert policies.allowing(Asked(READ, OBJECT)) == set()
    assert policies.allowing(Asked("s3:PutObject", OBJECT)) != set()


def test_a_denial_of_something_else_denies_nothing() -> None:
    assert may([allow(), deny("s3:PutObject"), deny(resource="arn:aws:s3:::b/other")])


def test_a_denial_whose_condition_does_not_hold_denies_nothing() -> None:
    plain = deny(Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert may([allow(), plain], aws__SecureTransport="true")
    assert not may([allow(), plain], aws__SecureTransport="false")


def test_of_several_statements_one_that_allows_is_enough_and_each_that_does_is_named() -> None:
    statements = [
        allow("s3:PutObject", Sid="Write"),
        allow([READ, "s3:Get*"], ["arn:aws:s3:::other/*", "arn:aws:s3:::b/*"], Sid="Read"),
    ]
    found = Policies([{"Statement": statements}]).allowing(Asked(READ, OBJECT))
    assert found == {Grant("Read", action, "arn:aws:s3:::b/*") for action in (READ, "s3:Get*")}


def test_all_that_is_allowed_is_told_and_nothing_that_is_denied() -> None:
    policies = Policies([{"Statement": [allow([READ, "s3:PutObject"], ["a", "b"], Sid="X"), deny("iam:*")]}])
    assert policies.grants() == {Grant("X", action, on) for action in (READ, "s3:PutObject") for on in "ab"}


# -- patterns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),  # AWS: actions are told apart without regard to case
        ("s3:*", True),
        ("*", True),
        ("s3:Get*", True),
        ("s3:GetObjec?", True),
        ("s3:GetObject?", False),
        ("s3:Get", False),
        ("s3:GetObjectVersion", False),
        ("s3.GetObject", False),
        ("sqs:*", False),
    ],
)
def test_an_action_is_matched_as_iam_does(pattern: str, matches: bool) -> None:
    assert may([allow(pattern)]) is matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (OBJECT, True),
        ("*", True),
        ("arn:aws:s3:::b/*", True),  # a star goes over slashes
        ("arn:aws:s3:::?/folder/?.mov", True),
        ("arn:aws:s3:::b/*/a.mov", True),
        ("arn:aws:s3:::b", False),
        ("arn:aws:s3:::b/folder/A.mov", False),  # names of resources have a case
        ("arn:aws:s3:::b/folder/?a.mov", False),
        ("arn:aws:s3:::b/folder/aXmov", False),
        ("arn:aws:s3:::b/folder/[a].mov", False),
        ("arn:aws:s3:::b/folder", False),
        ("arn:aws:s3:::b/folder/a.mov/*", False),
    ],
)
def test_a_resource_is_matched_as_iam_does(pattern: str, matches: bool) -> None:
    assert may([allow(resource=pattern)]) is matches


def test_a_name_with_signs_of_a_pattern_means_itself() -> None:
    odd = "arn:aws:s3:::b/x (1) [raw]+.mov\n"
    assert may([allow(resource=odd)], resource=odd)
    assert may([allow(resource="arn:aws:s3:::b/*")], resource=odd)


# -- conditions --------------------------------------------------------------------------------------------

PREFIX = "s3:prefix"


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "holds"),
    [
        ("StringEquals", "a/", "a/", True),
        ("StringEquals", "a/", "A/", False),
        ("StringEquals", "a/*", "a/b", False),
        ("StringEquals", ["a/", "b/"], "b/", True),
        ("StringEquals", ["a/", "b/"], "c/", False),
        ("StringEquals", "a/", None, False),
        ("StringEqualsIfExists", "a/", None, True),
        ("StringEqualsIfExists", "a/", "b/", False),
        ("StringLike", "a/*", "a/b/c", True),
        ("StringLike", "a/?", "a/b", True),
        ("StringLike", "a/*", "b/a/", False),
        ("StringLike", ["x/*", "a/*"], "a/b", True),
        ("StringLike", "*", None, False),
        ("StringLikeIfExists", ["x/*", "a/*"], None, True),
        ("StringLikeIfExists", ["x/*", "a/*"], "a/b", True),
        ("StringLikeIfExists", ["x/*", "a/*"], "b/", False),
        ("ArnLike", "arn:*:rule/x", "arn:aws:events:us-east-1:1:rule/x", True),
        ("ArnEquals", "arn:*:rule/x", "arn:aws:events:us-east-1:1:rule/y", False),
        ("Bool", "true", "true", True),
        ("Bool", "true", "false", False),
    ],
)
def test_a_condition_holds_as_in_iam(operator: str, wanted: Any, found: str | None, holds: bool) -> None:
    context = {} if found is None else {"s3__prefix": found}
    assert may([allow(Condition={operator: {PREFIX: wanted}})], **context) is holds


def test_all_keys_and_all_operators_of_a_condition_must_hold() -> None:
    both = allow(
        Condition={"StringEquals": {PREFIX: "a/", "events:source": "us"}, "StringLike": {PREFIX: "a*"}}
    )
    assert may([both], s3__prefix="a/", events__source="us")
    assert not may([both], s3__prefix="a/", events__source="them")
    assert not may([both], s3__prefix="ab", events__source="us")
    assert not may([both], s3__prefix="a/")


@pytest.mark.parametrize("operator", ["StringNotEquals", "NumericLessThan", "ForAnyValue:StringLike"])
def test_a_condition_that_is_not_known_here_is_an_error_and_no_answer(operator: str) -> None:
    with pytest.raises(ValueError, match=operator):
        may([allow(Condition={operator: {PREFIX: "a"}})], s3__prefix="a")


# -- any statements ----------------------------------------------------------------------------------------

words = st.text("ab*?", max_size=4)
conditions = st.sampled_from(
    [
        {},
        {"Condition": {"StringEquals": {PREFIX: "a"}}},
        {"Condition": {"StringLikeIfExists": {PREFIX: ["a*", "b"]}}},
    ]
)
statements = st.builds(
    lambda effect, action, resource, more: {
        "Effect": effect, "Action": action, "Resource": resource, **more
    },
    st.sampled_from(["Allow", "Deny"]),
    words,
    st.one_of(words, st.lists(words, min_size=1, max_size=2)),
    conditions,
)  # fmt: skip
names = st.text("ab", max_size=4)
questions = st.builds(
    Asked, names, names, st.one_of(st.just({}), st.builds(lambda value: {PREFIX: value}, names))
)


@given(st.lists(statements, max_size=5), statements, st.integers(0, 5), questions)
def test_a_denial_more_never_widens_and_a_permission_more_never_narrows(
    some: list[Statement], more: Statement, at: int, question: Asked
) -> None:
    before = Policies([{"Statement": some}]).allowing(question)
    after = Policies([{"Statement": [*some[:at], more, *some[at:]]}]).allowing(question)
    assert after >= before if more["Effect"] == "Allow" else after <= before


# -- what a request asks for -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "call", "given", "wanted"),
    [
        ("s3", "put_object", {"Bucket": "b", "Key": "a b/c"}, {("s3:PutObject", "arn:aws:s3:::b/a b/c")}),
        ("s3", "head_object", {"Bucket": "b", "Key": "c"}, {("s3:GetObject", "arn:aws:s3:::b/c")}),
        ("s3", "head_bucket", {"Bucket": "b"}, {("s3:ListBucket", "arn:aws:s3:::b")}),
        ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": "x"}, {("s3:ListBucket", "arn:aws:s3:::b")}),
        ("s3", "list_object_versions", {"Bucket": "b"}, {("s3:ListBucketVersions", "arn:aws:s3:::b")}),
        (
            "s3",
            "copy_object",
            {"Bucket": "b", "Key": "c", "CopySource": {"Bucket": "o", "Key": "x y"}},
            {("s3:GetObject", "arn:aws:s3:::o/x y"), ("s3:PutObject", "arn:aws:s3:::b/c")},
        ),
        (
            "s3",
            "abort_multipart_upload",
            {"Bucket": "b", "Key": "c", "UploadId": "u"},
            {("s3:AbortMultipartUpload", "arn:aws:s3:::b/c")},
        ),
        (
            "sqs",
            "send_message_batch",
            {"QueueUrl": "http://h/1/q", "Entries": [{"Id": "0", "MessageBody": "m"}]},
            {("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")},
        ),
        (
            "sqs",
            "get_queue_url",
            {"QueueName": "q"},
            {("sqs:GetQueueUrl", "arn:aws:sqs:us-east-1:123456789012:q")},
        ),
        ("bedrock", "list_model_invocation_jobs", {}, {("bedrock:ListModelInvocationJobs", "*")}),
        (
            "events",
            "put_events",
            {"Entries": [{"Source": "us", "EventBusName": "bus", "DetailType": "d", "Detail": "{}"}]},
            {("events:PutEvents", "arn:aws:events:us-east-1:123456789012:event-bus/bus")},
        ),
        (
            "iam",
            "get_role",
            {"RoleName": "r"},
            {("iam:GetRole", "arn:aws:iam::123456789012:role/r")},
        ),
    ],
)
def test_a_request_asks_for_the_permissions_aws_asks_it_for(
    service: str, call: str, given: dict[str, Any], wanted: set[tuple[str, str]]
) -> None:
    needed = asked(*signed(service, call, **given))
    assert {(each.action, each.resource) for each in needed} == wanted


def test_a_create_asks_for_the_job_the_profile_the_model_behind_it_and_the_role() -> None:
    place = {"s3InputDataConfig": {"s3Uri": "s3://b/in/"}}
    to = {"s3OutputDataConfig": {"s3Uri": "s3://b/out/"}}
    environ = signed(
        "bedrock", "create_model_invocation_job", jobName="n", modelId="us.amazon.nova-2-lite-v1:0",
        roleArn="arn:aws:iam::123456789012:role/r", inputDataConfig=place, outputDataConfig=to,
    )  # fmt: skip
    needed = asked(*environ)
    assert {(each.action, each.resource.rpartition(":")[2].split("/")[0]) for each in needed} == {
        ("bedrock:CreateModelInvocationJob", "model-invocation-job"),
        ("bedrock:CreateModelInvocationJob", "0"),
        ("iam:PassRole", "role"),
    }
    assert {"inference-profile", "foundation-model"} <= {
        each.resource.split(":")[5].split("/")[0] for each in needed
    }
    (passing,) = (each for each in needed if each.action == "iam:PassRole")
    assert passing.context == {"iam:PassedToService": "bedrock.amazonaws.com"}


def test_a_listing_tells_its_prefix_and_one_without_tells_none() -> None:
    (with_one,) = asked(*signed("s3", "list_objects_v2", Bucket="b", Prefix="a b/"))
    (without,) = asked(*signed("s3", "list_objects_v2", Bucket="b"))
    assert (dict(with_one.context), dict(without.context)) == ({"s3:prefix": "a b/"}, {})


def test_a_deletion_asks_for_each_key_and_for_its_version_where_one_is_named() -> None:
    objects = [{"Key": "a & b"}, {"Key": "c", "VersionId": "v"}]
    environ, *_ = signed("s3", "delete_objects", Bucket="b", Delete={"Objects": objects})
    found = [(key, version, [each.action for each in needed]) for key, version, needed in deletions(environ)]
    assert found == [
        ("a & b", "", ["s3:DeleteObject"]),
        ("c", "v", ["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ]


def test_who_one_is_anybody_may_ask() -> None:
    assert asked(*signed("sts", "get_caller_identity")) == []
