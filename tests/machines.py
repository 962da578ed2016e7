"""State machines that execute random commands on a bank, and compare it with a model."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Refusal

CONFLICTS = {"PENDING": None, "POSTED": "ALREADY_CAPTURED", "VOIDED": "ALREADY_RELEASED", "EXPIRED": "EXPIRED"}
"""The conflict of capturing or releasing a hold, by its status."""


class ModelMachine(RuleBasedStateMachine):
    """Executes the same commands on a model and on a bank, and compares them."""

    owner: Actor
    teller: Actor
    runner: asyncio.Runner

    def expect(self, outcome: Any, refusal: str | None) -> bool:
        """Assert that an outcome is this refusal, by its conflict or class, or a success if None. Return whether it is a success."""
        name = type(outcome).__name__ if isinstance(outcome, Refusal) else None
        assert getattr(outcome, "conflict", name) == refusal, f"{outcome!r}"
        return refusal is None


def run(machine: type[ModelMachine], *, steps: int, **attributes: Any) -> None:
    """Run a machine, with these class attributes, on 25 random sequences of at most so many steps."""
    run_state_machine_as_test(
        type("Machine", (machine,), attributes),
        settings=settings(
            max_examples=25, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
        ),
    )
