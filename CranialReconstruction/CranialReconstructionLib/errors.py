"""The one exception that a user can mend."""

from __future__ import annotations

from functools import partial
from typing import Any


class UserError(Exception):
    """What is wrong, where, and what the user can do about it.

    Every other exception is a bug and keeps its traceback. The command line prints this one as a
    single line and exits with status 2; the Slicer modules show the three parts.

    Args:
        problem: what is wrong, a clause without a full stop ("the mask is empty").
        where: the file, folder, option or package that it was found in.
        remedy: what to do next, a full sentence.
    """

    def __init__(self, problem: str, *, where: str, remedy: str) -> None:
        self.problem = problem
        self.where = where
        self.remedy = remedy
        super().__init__(f"{where}: {problem}. {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from their message alone, which is not enough here; worker processes send them.
        return partial(type(self), where=self.where, remedy=self.remedy), (self.problem,)
