"""What a long start prints."""

import threading
import time

import pytest

from bank_graphql.kit import progress
from bank_graphql.kit.progress import Progress


class _Written:
    """A standard error that sets an event when something is written."""

    def __init__(self) -> None:
        self.text = ""
        self.is_written = threading.Event()

    def write(self, text: str) -> None:
        self.text += text
        self.is_written.set()

    def flush(self) -> None:
        pass


def test_a_start_that_hangs_prints_what_it_is_waiting_for(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _Written()
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.01)
    with Progress("starting") as shown:
        shown.waiting_for("PostgreSQL to start")
        until = time.monotonic() + 10
        while not written.is_written.is_set() and time.monotonic() < until:
            pass  # like an event loop that hangs and lets nothing else run
    assert "still starting after 0 s: waiting for " in written.text


def test_a_quick_start_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("starting") as shown:
        shown.waiting_for("anything")
    assert capsys.readouterr().err == ""
