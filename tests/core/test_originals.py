"""Which originals are unfit, and what the reason tells a person."""

import shlex
from dataclasses import replace

import pytest

from consumers.core.objects import ObjectInfo
from consumers.core.originals import LARGEST_COPY, file_limit, unfit
from consumers.core.world import Policy
from schemas.models import load_models

POLICY = Policy("media", frozenset({"media"}), "arn:aws:iam::123456789012:role/batch", "us-east-1")
MODEL = load_models().models[0]


@pytest.mark.parametrize(
    ("policy", "model", "said"),
    [
        ({"max_file_bytes": 5}, {}, "NOVABATCH_MAX_FILE_BYTES"),
        ({"max_chunk_bytes": 5}, {}, "NOVABATCH_MAX_CHUNK_BYTES"),
        ({}, {"max_file_bytes": 5}, f"max_file_bytes of {MODEL.id}"),
        ({}, {"max_job_bytes": 5}, f"max_job_bytes of {MODEL.id}"),
    ],
)
def test_the_smallest_limit_binds_a_file_and_is_named(
    policy: dict[str, int], model: dict[str, int], said: str
) -> None:
    limit = file_limit(replace(POLICY, **policy), replace(MODEL, **model))  # type: ignore[arg-type]
    assert limit.bytes == 5
    assert unfit(ObjectInfo("k", 5), "media", limit) is None
    refused = unfit(ObjectInfo("k", 6), "media", limit)
    assert refused is not None
    assert refused.code == "too_large"
    assert all(word in refused.reason for word in ("6 bytes", "5 bytes", said))


def test_no_file_is_larger_than_one_copy_may_be() -> None:
    huge = 10**12
    policy = replace(POLICY, max_file_bytes=huge, max_chunk_bytes=huge)
    model = replace(MODEL, max_file_bytes=huge, max_job_bytes=huge)
    assert file_limit(policy, model).bytes == LARGEST_COPY


def test_an_empty_file_is_refused() -> None:
    refused = unfit(ObjectInfo("k", 0), "media", file_limit(POLICY, MODEL))
    assert refused is not None
    assert refused.code == "empty"


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_comes_with_the_command_that_restores_it(storage_class: str) -> None:
    key = "a b/it's $HOME `ls`.mov"
    refused = unfit(ObjectInfo(key, 6, "e", storage_class), "media", file_limit(POLICY, MODEL))
    assert refused is not None
    assert (refused.code, storage_class in refused.reason) == ("archived", True)
    command = refused.reason.split("restore it with `")[1].rpartition("`")[0]
    words = shlex.split(command)
    assert words[:3] == ["aws", "s3api", "restore-object"]
    assert words[words.index("--key") + 1] == key
    assert words[words.index("--bucket") + 1] == "media"


def test_an_object_of_another_class_can_be_read() -> None:
    info = ObjectInfo("k", 6, "e", "GLACIER_IR")
    assert unfit(info, "media", file_limit(POLICY, MODEL)) is None
