"""The registry of commands is complete."""

import inspect
from typing import Any

from bank_graphql.payments import commands
from bank_graphql.payments.commands import COMMANDS, Command


def _all_subclasses(kind: Any) -> set[type[Command]]:
    # A dataclass with slots replaces the class that was written, which lives on until it is collected: the module has the new one.
    found = {each for each in kind.__subclasses__() if getattr(inspect.getmodule(each), each.__name__) is each}
    return found | {deeper for each in found for deeper in _all_subclasses(each)}


def test_every_command_is_registered() -> None:
    assert _all_subclasses(Command) == set(COMMANDS)
    assert all(getattr(commands, each.__name__) is each for each in COMMANDS)


def test_every_command_has_an_action_of_its_own() -> None:
    assert len({each.action for each in COMMANDS}) == len(COMMANDS)
    assert not any(inspect.isabstract(each) for each in COMMANDS)
