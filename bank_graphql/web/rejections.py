"""The rejections that an operation ended with, by the names of their types, for metrics and the log."""

from collections.abc import Iterator

from bank_graphql.api.context import Context
from bank_graphql.api.errors import REJECTIONS, Rejection
from bank_graphql.api.results import TransferBatchOutcome
from bank_graphql.kit.errors import Refusal


def rejections_of(context: Context) -> Iterator[str]:
    """Yield the type of each rejection of a mutation, or of an item of a batch."""
    for outcome in context.outcomes.values():
        for each in outcome.results if isinstance(outcome, TransferBatchOutcome) else (outcome,):
            if isinstance(each, Rejection):
                yield type(each).__name__
            elif isinstance(each, Refusal):
                yield REJECTIONS[type(each)].rejection.__name__
