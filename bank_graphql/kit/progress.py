"""Print what a program is waiting for, if that takes long."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

INTERVAL_SECONDS = 20.0


class Progress:
    """Prints a line on standard error every `INTERVAL_SECONDS` inside a `with` block, until `stop` is called.

    It prints from a thread, because the event loop may be what hangs.

    Args:
        activity: what is going on, e.g. "starting".
    """

    def __init__(self, activity: str) -> None:
        self._activity = activity
        self._waiting_for = ""
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._print, args=[time.monotonic()], daemon=True)

    def waiting_for(self, what: str) -> None:
        """Set what comes next, e.g. "PostgreSQL to start"."""
        self._waiting_for = what

    def stop(self) -> None:
        """Print nothing more."""
        self._is_stopped.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()
        self._thread.join()

    def _print(self, started_at: float) -> None:
        while not self._is_stopped.wait(INTERVAL_SECONDS):
            seconds = round(time.monotonic() - started_at)
            text = f"bank-graphql: still {self._activity} after {seconds} s: waiting for {self._waiting_for}."
            print(text, file=sys.stderr, flush=True)
