"""Errors a person can act on: what was wrong, where, and what to do about it.

Every error that tsprout raises on purpose is a :class:`TsproutError`. Its text has three parts, each optional but
the first: *what* was wrong, *where* (file, row, column, channel), and what to do (*fix*). The command line prints
them without a traceback and leaves with :attr:`TsproutError.exit_code`.
"""

from __future__ import annotations


class TsproutError(Exception):
    """Base of all deliberate errors; ``exit_code`` is what the command line leaves with (1: ran and failed)."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        text = self.what
        if self.where:
            text = f"{self.where}: {text}"
        if self.fix:
            text = f"{text}\n{self.fix}"
        return text


class InputError(TsproutError, ValueError):
    """The data, an option or a file the user gave cannot be used as it is (exit code 2)."""

    exit_code = 2


class NotThereError(InputError):
    """What was asked for by its ``name``, a column or the like, is not in the data (exit code 2)."""

    def __init__(self, kind: str, name: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.name = name
        super().__init__(f"there is no {kind} {name!r}", where=where, fix=fix)


class CheckpointError(InputError):
    """A checkpoint is missing, truncated, of another format version, or not a tsprout checkpoint (exit code 2)."""


class MissingExtraError(InputError, ImportError):
    """An optional dependency is needed for what was asked (exit code 2)."""


class TrainingError(TsproutError):
    """Training failed in a way the user can do something about, such as a loss that is not finite (exit code 1)."""
