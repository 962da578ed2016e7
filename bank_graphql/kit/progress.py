"""Print what a program waits for, if that takes long."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 20.0


class Progress:
    """Prints a line on standard error every `PATIENCE_SECONDS`, from a thread: the event loop may be what hangs.

    Args:
        what: what is under way, e.g. "starting".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._waits_for = ""
        self._is_over = threading.Event()

    def waits_for(self, what: str) -> None:
        """Say what comes next, e.g. "PostgreSQL to start"."""
        self._waits_for = what

    def is_over(self) -> None:
        """Print nothing more."""
        self._is_over.set()

    @contextmanager
    def printed(self) -> Iterator["Progress"]:
        """Print until leaving, or until it `is_over`."""
        thread = threading.Thread(target=self._print, args=[time.monotonic()], daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.is_over()
            thread.join()

    def _print(self, since: float) -> None:
        while not self._is_over.wait(PATIENCE_SECONDS):
            seconds = round(time.monotonic() - since)
            text = f"bank-graphql: still {self._what} after {seconds} s: waiting for {self._waits_for}."
            print(text, file=sys.stderr, flush=True)
