"""Decides the groups of a batch one after another, in memory, with idempotency keys and dry runs. No I/O.

The outcomes are those of executing the commands one after another in their order. A refused command changes nothing, except
that a declined authorisation is recorded and a hold that is due expires. It stops no other command, except those of its own
atomic group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard
from uuid import UUID

from bank_graphql.kit.errors import FieldProblem, Refusal, ValidationFailed
from bank_graphql.payments.commands import ClearTransfer, Command, ExpireHold, Key, PostDue
from bank_graphql.payments.errors import BatchAborted
from bank_graphql.payments.groups import Group
from bank_graphql.payments.idempotency import StoredOutcome, is_stored, subject_of
from bank_graphql.payments.outcomes import Declined, Done, Outcome
from bank_graphql.payments.state import BatchState


@dataclass(frozen=True, slots=True)
class Audited:
    """A command to record in the audit: its outcome, and what it made or declined."""

    command: Command
    outcome: Outcome
    subject_id: UUID | None


class Decisions:
    """What the groups of a batch lead to.

    Attributes:
        new_outcomes: the outcomes to store, by key.
        audited: the commands to record in the audit; replays and dry runs are not among them.

    Args:
        state: the state of the batch, which is changed.
        stored: the outcomes that are stored already, by key.
    """

    def __init__(self, state: BatchState, stored: Mapping[Key, StoredOutcome]) -> None:
        self._state = state
        self._stored = stored
        self.new_outcomes: dict[Key, StoredOutcome] = {}
        self.audited: list[Audited] = []

    def decide(self, group: Group, fingerprints: Sequence[bytes]) -> list[Outcome] | Refusal:
        """Decide a group; return the outcome of each command, or why the whole group is refused."""
        if group.dry_run:
            return self._dry_run(group)
        if group.atomic:
            return self._atomic(group, fingerprints)
        return [
            command if isinstance(command, Refusal) else self._single(command, fingerprint)
            for command, fingerprint in zip(group.commands, fingerprints, strict=True)
        ]

    def _single(self, command: Command, fingerprint: bytes) -> Outcome:
        key = command.stored_key
        if key is not None and (before := self._find(key)) is not None:
            if before.fingerprint == fingerprint:
                return before.replay()
            conflict = before.conflict()
            self._record(command, conflict, None)
            return conflict
        outcome, subject = self._execute(command)
        if key is not None and self._is_stored(outcome, command, subject):
            self.new_outcomes[key] = StoredOutcome(fingerprint, outcome)
        self._record(command, outcome, subject)
        return outcome

    @staticmethod
    def _is_stored(outcome: Outcome, command: Command, subject: UUID | None) -> TypeGuard[Done | Refusal]:
        """Return whether an outcome is stored with its key: a refusal too, if it has declined something."""
        if isinstance(outcome, Refusal) and not command.stores_refusals:
            return subject is not None
        return is_stored(outcome)

    def _dry_run(self, group: Group) -> list[Outcome]:
        savepoint = self._state.savepoint()
        outcomes: list[Outcome] = []
        for command in group.commands:
            outcome = command if isinstance(command, Refusal) else self._execute(command)[0]
            if isinstance(command, Command) and isinstance(outcome, Done):
                outcome = self._state.preview(command.actor, outcome)
            outcomes.append(outcome)
        self._state.roll_back(savepoint)
        return _aborted(outcomes) if group.atomic else outcomes

    def _atomic(self, group: Group, fingerprints: Sequence[bytes]) -> list[Outcome] | Refusal:
        replayed = self._replay(group, fingerprints)
        if replayed is not None:
            return replayed
        if problems := self._key_problems(group):
            return ValidationFailed(problems)
        savepoint = self._state.savepoint()
        results = [(each, None) if isinstance(each, Refusal) else self._execute(each) for each in group.commands]
        refused = any(isinstance(outcome, Refusal) for outcome, _ in results)
        if refused:
            self._state.roll_back(savepoint)
        for command, (outcome, subject), fingerprint in zip(group.commands, results, fingerprints, strict=True):
            if isinstance(command, Refusal):
                continue
            if not refused or isinstance(outcome, Refusal):
                self._record(command, outcome, None if refused else subject)
            if not refused and (key := command.stored_key) and isinstance(outcome, Done):
                self.new_outcomes[key] = StoredOutcome(fingerprint, outcome)
        return _aborted([outcome for outcome, _ in results])

    def _replay(self, group: Group, fingerprints: Sequence[bytes]) -> list[Outcome] | None:
        """Return the outcomes of an atomic group that was executed before, exactly as it is; None if it was not."""
        outcomes: list[Outcome] = []
        for command, fingerprint in zip(group.commands, fingerprints, strict=True):
            key = None if isinstance(command, Refusal) else command.stored_key
            before = None if key is None else self._find(key)
            if before is None or before.fingerprint != fingerprint:
                return None
            outcomes.append(before.replay())
        return outcomes

    def _key_problems(self, group: Group) -> list[FieldProblem]:
        """Return what is wrong with the keys of a new atomic group: each must be new, and occur once."""
        seen: set[Key] = set()
        problems = []
        for index, command in enumerate(group.commands):
            key = None if isinstance(command, Refusal) else command.stored_key
            if key is None:
                continue
            path = ("transfers", str(index), "idempotencyKey")
            if key in seen:
                problems.append(FieldProblem(path, "USED", "Two items of the batch have the same key."))
            elif self._find(key) is not None:
                message = "Each key of an atomic batch is new, or all of the batch is as it was sent before."
                problems.append(FieldProblem(path, "USED", message))
            seen.add(key)
        return problems

    def _find(self, key: Key) -> StoredOutcome | None:
        return self._stored.get(key) or self.new_outcomes.get(key)

    def _execute(self, command: Command) -> tuple[Outcome, UUID | None]:
        """Return the outcome of a command, and what it made or declined."""
        try:
            decision = command.decide(self._state)
        except Refusal as refusal:
            return refusal, None
        if isinstance(decision, Declined):
            return decision.refusal, decision.transaction_id
        return decision, subject_of(decision)

    def _record(self, command: Command, outcome: Outcome, subject: UUID | None) -> None:
        if isinstance(command, ExpireHold | ClearTransfer | PostDue) and isinstance(outcome, Refusal):
            return  # another process was first, or money is missing still
        self.audited.append(Audited(command, outcome, subject))


def _aborted(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes of an atomic group: if a command is refused, the others are aborted."""
    first = next((index for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)), None)
    if first is None:
        return outcomes
    return [outcome if isinstance(outcome, Refusal) else BatchAborted(first) for outcome in outcomes]
