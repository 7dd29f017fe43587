"""A progress bar in a notebook; without a notebook nothing is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from html import escape
from time import monotonic
from typing import Any

SECONDS = 0.2  # between two changes of the bar


class NotebookBar:
    """A bar that shows the share of the present stage that is done.

    Args:
        display: `IPython.display.display`.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self.share, self.words, self.changed = 0.0, "", 0.0
        self.handle = display(self, display_id=True)

    def __call__(self, share: float, words: str) -> None:
        """Sets the share done (0 to 1) and what is done."""
        self.share, self.words = share, words
        if self.handle is not None and (share >= 1 or monotonic() - self.changed > SECONDS):
            self.changed = monotonic()
            self.handle.update(self)

    def __repr__(self) -> str:
        return f"{self.share:4.0%} {self.words}".rstrip()

    def _repr_html_(self) -> str:
        return f'<progress value="{self.share:.3f}" max="1"></progress> {escape(repr(self))}'


def shown(progress: bool | Callable[[float, str], object]) -> Callable[[float, str], object]:
    """Returns what training calls with the share that is done and what is done.

    Args:
        progress: true: a bar if this is a notebook; false: nothing is shown; or the function itself.
    """
    if callable(progress):
        return progress
    if progress and (display := display_of_notebook()) is not None:
        return NotebookBar(display)
    return lambda share, words: None


def display_of_notebook() -> Callable[..., Any] | None:
    """Returns the function that displays objects; None if this process is no notebook."""
    python = sys.modules.get("IPython")
    shell = None if python is None else python.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    found: Callable[..., Any] = display
    return found
