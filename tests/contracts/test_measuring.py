"""Measuring by a listing against the local S3: odd keys are found where the listing begins behind them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import cast

import pytest

from consumers.core.objects import ObjectInfo
from consumers.submit.measuring import WORTH_LISTING, measure
from daemon.adapters.store import SqlStore
from deploy.local.processes import Server
from tests.contracts.benches import BUCKET, S3Bench, open_s3
from tests.stages.simulation import Simulation

ODD = [" ", "+", "%20", "&", "ä", "日本", "é", "'", "#", "?", "~", "(1)"]


@pytest.fixture
def bench(fresh_aws: Server) -> Iterator[S3Bench]:
    yield from open_s3(fresh_aws)


def test_odd_keys_of_one_folder_are_told_by_its_listing(bench: S3Bench) -> None:
    keys = [f"proxy, ä+%/{left}clip{right}.mov" for left, right in product(ODD, ODD)][: WORTH_LISTING + 10]
    there = {key: bench.put(key, key.encode()) for key in keys[::2]}
    world = replace(Simulation(cast(SqlStore, None)).world([]), objects=bench.port)
    found = measure([(BUCKET, key) for key in keys], {}, world)
    told = {key: info for (_, key), info in found.items() if isinstance(info, ObjectInfo)}
    assert told == {key: ObjectInfo(key, len(key.encode()), etag) for key, etag in there.items()}
