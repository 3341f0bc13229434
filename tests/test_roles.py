"""What nobody may: the roles of the template, held against calls that would do harm."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import pytest

from deploy.local import stack
from deploy.local.permissions.policy import Asked, Policies
from tests.resolved import Resolved, resolved

BUCKET, OTHER = "novabatch-test", "somebody-elses"
ORIGINAL = "proxy_video/a.mov"
FOLDER, OUTPUT = "nova_batch/job_1/a.mov", "nova/batch/output/job_1/x/manifest.jsonl.out"
RESULTS, RAW, PLAN = (f"nova_results/b1/{name}" for name in ("results.jsonl", "raw/1.jsonl", "plan.jsonl"))
KEYS = (ORIGINAL, FOLDER, OUTPUT, RESULTS, RAW, PLAN, "batch_input_1.jsonl", "nova/batch/input/a.jsonl")
CONSUMERS = {"submit": "SubmitRole", "job-state": "JobStateRole", "cleanup": "CleanupRole"}
EVERYBODY = (*CONSUMERS, "operator", "bedrock")
DELETIONS = ("s3:DeleteObject", "s3:DeleteObjectVersion")
JOB = f"arn:aws:bedrock:{stack.REGION}:{stack.ACCOUNT}:model-invocation-job/x"
MODEL = f"arn:aws:bedrock:{stack.REGION}::foundation-model/amazon.nova-2-lite-v1:0"
NOTHING_MORE: Mapping[str, str] = MappingProxyType({})
TO_BEDROCK = {"iam:PassedToService": "bedrock.amazonaws.com"}
ALL_ALLOWED = {
    "AllowLegacyCleanup": "yes", "AllowForgetting": "yes", "AllowResultRemoval": "yes",
    "AllowedBuckets": OTHER, "EventBusName": "news", "QueueEncryption": "CustomerKey",
    "BucketKeyArns": f"arn:aws:kms:{stack.REGION}:{stack.ACCOUNT}:key/of-the-bucket",
}  # fmt: skip


@cache
def made(most: bool = False) -> Resolved:
    """Return the template as it is by default, or with all that can be allowed beside."""
    return resolved({"BucketName": BUCKET, **(ALL_ALLOWED if most else {})})


@cache
def policies(who: str, most: bool = False) -> Policies:
    template = made(most)
    if who == "operator":
        return Policies([template.properties("OperatorPolicy")["PolicyDocument"]])
    return template.attached("BedrockRole" if who == "bedrock" else CONSUMERS[who])


def may(
    who: str, action: str, resource: str, most: bool = False, context: Mapping[str, str] = NOTHING_MORE
) -> bool:
    known = {"aws:ResourceAccount": stack.ACCOUNT, **context}
    return bool(policies(who, most).allowing(Asked(action, resource, known)))


def key(name: str, bucket: str = BUCKET) -> str:
    return f"arn:aws:s3:::{bucket}/{name}"


def queue(name: str) -> str:
    return f"arn:aws:sqs:{stack.REGION}:{stack.ACCOUNT}:{name}"


def deletable(who: str, most: bool = False) -> set[str]:
    return {name for name in KEYS if any(may(who, action, key(name), most) for action in DELETIONS)}


def writable(who: str, most: bool = False) -> set[str]:
    return {name for name in KEYS if may(who, "s3:PutObject", key(name), most)}


# -- what each must not do ---------------------------------------------------------------------------------

FORBIDDEN = [
    ("submit", "bedrock:GetModelInvocationJob", JOB, "job_state alone believes or disbelieves events"),
    ("submit", "s3:PutObject", key(RESULTS), "job_state alone writes results"),
    ("submit", "s3:PutObject", key(OUTPUT), "output is Bedrock's"),
    ("submit", "sqs:ReceiveMessage", queue("job-state-changes"), "each consumer reads its own queue"),
    ("submit", "sqs:DeleteMessage", queue("submit-requests-dlq"), "dead letters are a person's"),
    ("submit", "bedrock:InvokeModel", MODEL, "nothing is bought outside a job"),
    ("job-state", "bedrock:CreateModelInvocationJob", JOB, "submit alone buys"),
    ("job-state", "bedrock:CreateModelInvocationJob", MODEL, "submit alone buys"),
    ("job-state", "bedrock:StopModelInvocationJob", JOB, "cancels go by submit's queue"),
    ("job-state", "bedrock:InvokeModel", MODEL, "nothing is bought outside a job"),
    ("job-state", "s3:PutObject", key(FOLDER), "submit alone fills folders"),
    ("job-state", "s3:PutObject", key(OUTPUT), "output is Bedrock's"),
    ("job-state", "sqs:ReceiveMessage", queue("submit-requests"), "each consumer reads its own queue"),
    ("cleanup", "bedrock:CreateModelInvocationJob", JOB, "submit alone buys"),
    ("cleanup", "bedrock:CreateModelInvocationJob", MODEL, "submit alone buys"),
    ("cleanup", "bedrock:StopModelInvocationJob", JOB, "it stops nothing"),
    ("cleanup", "bedrock:GetModelInvocationJob", JOB, "a list is all it needs"),
    ("cleanup", "s3:GetObject", key(ORIGINAL), "it reads no originals"),
    ("cleanup", "s3:GetObject", key(RESULTS), "it reads no results"),
    ("cleanup", "sqs:SendMessage", queue("submit-requests"), "cleaning leads to no purchase"),
    ("cleanup", "sqs:SendMessage", queue("novabatch-events"), "it has no news"),
    ("cleanup", "sqs:ReceiveMessage", queue("submit-requests"), "each consumer reads its own queue"),
    ("operator", "bedrock:CreateModelInvocationJob", JOB, "a person asks submit"),
    ("operator", "bedrock:CreateModelInvocationJob", MODEL, "a person asks submit"),
    ("operator", "bedrock:StopModelInvocationJob", JOB, "a person asks submit"),
    ("operator", "bedrock:InvokeModel", MODEL, "nothing is bought outside a job"),
    ("operator", "sqs:ReceiveMessage", queue("submit-requests"), "work is the consumers'"),
    ("operator", "sqs:PurgeQueue", queue("submit-requests-dlq"), "dead letters go one by one"),
    ("bedrock", "s3:GetObject", key(ORIGINAL), "a job reads its folder"),
    ("bedrock", "s3:GetObject", key(RESULTS), "a job reads its folder"),
    ("bedrock", "s3:PutObject", key(FOLDER), "a job does not change what it was asked"),
    ("bedrock", "bedrock:CreateModelInvocationJob", JOB, "a job makes no jobs"),
    ("bedrock", "sqs:SendMessage", queue("job-state-changes"), "it has no queues"),
]  # fmt: skip


@pytest.mark.parametrize("most", [False, True], ids=["default", "all allowed"])
@pytest.mark.parametrize(
    ("who", "action", "resource", "why"),
    FORBIDDEN,
    ids=[f"{w}-{a}-{n}" for n, (w, a, *_) in enumerate(FORBIDDEN)],
)
def test_a_role_may_not_do_what_is_anothers(
    who: str, action: str, resource: str, why: str, most: bool
) -> None:
    context = {**TO_BEDROCK, "s3:prefix": ""}
    assert not may(who, action, resource, most, context), why


def test_submit_alone_buys_and_stops() -> None:
    """The other side of the table: the resources named there are those that the right role is allowed."""
    for action, resources in {
        "bedrock:CreateModelInvocationJob": (JOB, MODEL), "bedrock:StopModelInvocationJob": (JOB,),
    }.items():  # fmt: skip
        for resource in resources:
            assert {who for who in EVERYBODY if may(who, action, resource, most=True)} == {"submit"}


@pytest.mark.parametrize("action", ["kms:GenerateDataKey", "kms:Decrypt"])
@pytest.mark.parametrize(
    ("key", "users"),
    [("of-the-queues", {*CONSUMERS, "operator"}), ("of-the-bucket", {*CONSUMERS, "operator", "bedrock"})],
)
def test_a_key_may_be_used_by_all_who_read_or_write_what_it_encrypts(
    key: str, users: set[str], action: str
) -> None:
    arn = f"arn:aws:kms:{stack.REGION}:{stack.ACCOUNT}:key/{key}"
    assert {who for who in EVERYBODY if may(who, action, arn, most=True)} == users
    assert not any(may(who, action, arn) for who in EVERYBODY)


def test_a_person_may_look_where_submit_reads_originals() -> None:
    """`plan` measures them and `doctor` looks whether it can."""
    for action, resource in (
        ("s3:ListBucket", f"arn:aws:s3:::{OTHER}"),
        ("s3:GetObject", key(ORIGINAL, OTHER)),
    ):
        for who in ("submit", "operator"):
            assert may(who, action, resource, most=True, context={"s3:prefix": "proxy_video/"})
        assert not may("cleanup", action, resource, most=True)


# -- deletion and writing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "most", "keys"),
    [
        ("submit", False, {FOLDER}),  # strangers in a chunk's folder
        ("submit", True, {FOLDER}),
        ("job-state", False, set()),
        ("job-state", True, {FOLDER, OUTPUT, RESULTS, RAW, PLAN}),  # AllowForgetting
        ("cleanup", False, {FOLDER, OUTPUT, RAW}),
        ("cleanup", True, set(KEYS) - {ORIGINAL}),  # AllowResultRemoval, AllowLegacyCleanup
        ("operator", True, set()),
        ("bedrock", True, set()),
    ],
)
def test_a_role_may_delete_these_and_nothing_else(who: str, most: bool, keys: set[str]) -> None:
    assert deletable(who, most) == keys


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_may_touch_originals_or_another_bucket(who: str) -> None:
    for action in (*DELETIONS, "s3:PutObject", "s3:AbortMultipartUpload", "s3:PutObjectAcl"):
        for resource in (key(ORIGINAL), key(ORIGINAL, OTHER), key(FOLDER, OTHER), key(RESULTS, OTHER)):
            assert not may(who, action, resource, most=True)
    for action in ("s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"):
        assert not may(who, action, f"arn:aws:s3:::{BUCKET}", most=True)


@pytest.mark.parametrize(
    ("who", "keys"),
    [
        ("submit", {FOLDER, PLAN}),
        ("job-state", {RESULTS, RAW, PLAN}),
        ("cleanup", set()),
        ("operator", set()),
        ("bedrock", {OUTPUT}),
    ],
)
def test_a_role_may_write_these_and_nothing_else(who: str, keys: set[str]) -> None:
    assert writable(who, most=True) == keys


@pytest.mark.parametrize("prefix", ["", "proxy_video/", "nova_results/b1/", "nova"])
def test_cleanup_sees_versions_of_what_it_may_delete_only(prefix: str) -> None:
    bucket = f"arn:aws:s3:::{BUCKET}"
    assert not may("cleanup", "s3:ListBucketVersions", bucket, context={"s3:prefix": prefix})
    assert not may("cleanup", "s3:ListBucketVersions", bucket)
    assert may("cleanup", "s3:ListBucketVersions", bucket, context={"s3:prefix": "nova_batch/job_1/"})


def test_bedrock_reads_only_a_bucket_of_this_account() -> None:
    assert may("bedrock", "s3:GetObject", key(FOLDER))
    assert not may("bedrock", "s3:GetObject", key(FOLDER), context={"aws:ResourceAccount": "210987654321"})


# -- roles -------------------------------------------------------------------------------------------------

ROLES = [
    f"arn:aws:iam::{stack.ACCOUNT}:role/novabatch-{stack.REGION}-{name}"
    for name in ("submit", "job-state", "cleanup")
] + [f"arn:aws:iam::{stack.ACCOUNT}:role/Administrator"]  # fmt: skip


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_may_pass_another_role_or_this_one_to_another_service(who: str) -> None:
    service = made().value({"Fn::GetAtt": ["BedrockRole", "Arn"]})
    assert may(who, "iam:PassRole", service, most=True, context=TO_BEDROCK) is (who == "submit")
    for role in ROLES:
        assert not may(who, "iam:PassRole", role, most=True, context=TO_BEDROCK)
    for other in ("lambda.amazonaws.com", "ec2.amazonaws.com", "ecs-tasks.amazonaws.com"):
        assert not may(who, "iam:PassRole", service, most=True, context={"iam:PassedToService": other})
    assert not may(who, "iam:PassRole", service, most=True)


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_may_change_who_may_what(who: str) -> None:
    for action in ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:CreateRole", "sts:AssumeRole"):
        for role in (*ROLES, stack.ROLE_ARN):
            assert not may(who, action, role, most=True)


@pytest.mark.parametrize(
    ("role", "service", "source"),
    [
        ("BedrockRole", "bedrock.amazonaws.com", JOB),
        *(
            (name, "ecs-tasks.amazonaws.com", f"arn:aws:ecs:{stack.REGION}:{stack.ACCOUNT}:task/x")
            for name in CONSUMERS.values()
        ),
    ],
)
def test_a_role_is_taken_on_by_its_service_for_this_account_and_region_only(
    role: str, service: str, source: str
) -> None:
    (trust,) = made().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": service}
    trusting = Policies([{"Statement": {**trust, "Resource": "*"}}])

    def trusts(action: str = "sts:AssumeRole", account: str = stack.ACCOUNT, arn: str = source) -> bool:
        context = {"aws:SourceAccount": account, "aws:SourceArn": arn}
        return bool(trusting.allowing(Asked(action, role, context)))

    assert trusts()
    assert not trusts(account="210987654321")
    assert not trusts(arn=source.replace(stack.REGION, "eu-west-1"))
    assert not trusts(arn=source.replace(stack.ACCOUNT, "210987654321"))
    assert not trusts(arn=f"arn:aws:s3:::{BUCKET}")
    assert not trusts(action="sts:AssumeRoleWithWebIdentity")
    assert not trusting.allowing(Asked("sts:AssumeRole", role, {}))


# -- who may put messages into the queues ------------------------------------------------------------------

RULES = {"StateQueuePolicy": "novabatch-job-state-changes", "CleanupQueuePolicy": "novabatch-sweep"}


@pytest.mark.parametrize("policy", RULES)
def test_a_rule_sends_to_its_own_queue_and_no_other_rule_does(policy: str) -> None:
    document = made().properties(policy)["PolicyDocument"]
    (allowed,) = (each for each in document["Statement"] if each["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    reading = Policies([document])

    def lets(action: str, rule: str) -> bool:
        arn = f"arn:aws:events:{stack.REGION}:{stack.ACCOUNT}:rule/{rule}"
        return bool(reading.allowing(Asked(action, allowed["Resource"], {"aws:SourceArn": arn})))

    assert {rule for rule in (*RULES.values(), "another") if lets("sqs:SendMessage", rule)} == {RULES[policy]}
    assert not lets("sqs:ReceiveMessage", RULES[policy])


# -- other partitions --------------------------------------------------------------------------------------


def arns(part: object) -> set[str]:
    """Return every ARN within a part."""
    match part:
        case str():
            return set(re.findall(r"arn:[^\s,]+", part))
        case dict():
            return {each for value in part.values() for each in arns(value)}
        case list():
            return {each for value in part for each in arns(value)}
    return set()


def test_in_another_partition_every_arn_is_of_it_with_one_further_bucket_at_most() -> None:
    """CloudFormation takes no function for a delimiter: a second further bucket has the partition aws."""

    def foreign(buckets: str) -> set[str]:
        given = {"BucketName": BUCKET, **ALL_ALLOWED, "AllowedBuckets": buckets, "BucketKeyArns": ""}
        template = resolved(given, partition="aws-us-gov")
        policies = [
            name for name, each in template.parts["Resources"].items() if each["Type"].endswith("Policy")
        ]
        found = {arn for name in (*policies, "BedrockRole") for arn in arns(template.properties(name))}
        assert len(found) > 25
        return {arn for arn in found if not arn.startswith("arn:aws-us-gov:")}

    assert foreign("") == foreign(OTHER) == set()
    assert foreign(f"{OTHER},third") == {"arn:aws:s3:::third", "arn:aws:s3:::third/*"}
