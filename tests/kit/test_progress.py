"""What a long start says."""

import threading
import time

import pytest

from bank_graphql.kit import progress
from bank_graphql.kit.progress import Progress


class _Written:
    """Standard error, which tells when something is written."""

    def __init__(self) -> None:
        self.text = ""
        self.news = threading.Event()

    def write(self, text: str) -> None:
        self.text += text
        self.news.set()

    def flush(self) -> None:
        pass


def test_a_start_that_hangs_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _Written()
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.01)
    with Progress("starting").printed() as shown:
        shown.waits_for("PostgreSQL to start")
        until = time.monotonic() + 10
        while not written.news.is_set() and time.monotonic() < until:
            pass  # as a loop that hangs, and lets nothing else run
    assert "still starting after 0 s: waiting for " in written.text


def test_a_quick_start_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("starting").printed() as shown:
        shown.waits_for("anything")
    assert capsys.readouterr().err == ""
