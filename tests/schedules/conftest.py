"""Fixtures of the tests of standing orders: those of the API."""

from tests.api.conftest import *  # noqa: F403
