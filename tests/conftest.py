"""Fixtures shared by all tests, each set in a module of its own."""

pytest_plugins = ["tests.aws", "tests.databases", "tests.prometheus"]
