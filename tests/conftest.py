"""Fixtures shared by all tests, each set in a module of its own."""

import gc

pytest_plugins = ["tests.aws", "tests.databases", "tests.prometheus"]


def pytest_collection_finish() -> None:
    """Leave what the tests are made of to the end: looking through all of it for garbage takes time."""
    gc.collect()
    gc.freeze()
