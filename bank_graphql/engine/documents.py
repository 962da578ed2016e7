"""A cache of documents that are parsed and validated.

Clients send the same few documents again and again. A new document goes into a small cache, and only when it is sent again into
the large one, so that a flood of documents that are all different cannot drive out those in use.
"""

from cachetools import LRUCache
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, OperationType

from bank_graphql.engine import complexity
from bank_graphql.engine.plan import Operation

Key = tuple[str, str | None]
"""The document's text, and the name of its operation."""


class Prepared:
    """An operation that is parsed, with its costs and plans so far."""

    _MAX_COSTS = 64

    def __init__(self, schema: GraphQLSchema, source: str, document: DocumentNode, node: OperationDefinitionNode) -> None:
        self.operation = Operation(schema, document, node)
        self._schema = schema
        self.size = len(source)
        self._names = tuple(each.variable.name.value for each in node.variable_definitions or ())
        self._costs: dict[tuple[object, ...], int] = {}

    @property
    def is_subscription(self) -> bool:
        """Whether the operation is answered again and again."""
        return self.operation.node.operation is OperationType.SUBSCRIPTION

    def cost(self, variables: dict[str, object]) -> int:
        """Return the cost of the operation. It is computed once for variables of the same sizes.

        Raises:
            TooComplex: the document or the variables exceed a limit.
        """
        values = complexity.values_cost(variables)
        sizes = complexity.sizes_in(self._schema, variables, self._names)
        cost = self._costs.get(sizes)
        if cost is None:
            cost = complexity.document_cost(self._schema, self.operation.document, self.operation.node, variables)
            if len(self._costs) >= self._MAX_COSTS:
                self._costs.clear()
            self._costs[sizes] = cost
        return cost + values


class Documents:
    """The operations used most recently.

    Args:
        once: maximum characters of the documents that were sent once.
        again: maximum characters of those that were sent again.
    """

    def __init__(self, once: int = 50_000, again: int = 150_000) -> None:
        self._once: LRUCache[Key, Prepared] = LRUCache(once, getsizeof=lambda prepared: prepared.size)
        self._again: LRUCache[Key, Prepared] = LRUCache(again, getsizeof=lambda prepared: prepared.size)

    def get(self, key: Key) -> Prepared | None:
        """Return the operation that is kept under a key, or None."""
        prepared: Prepared | None = self._again.get(key)
        if prepared is None:
            prepared = self._once.pop(key, None)
            if prepared is not None:
                self._again[key] = prepared
        return prepared

    def keep(self, key: Key, prepared: Prepared) -> None:
        """Keep a valid operation, unless its document is so long that it would drive out many others."""
        if prepared.size <= self._once.maxsize // 10:
            self._once[key] = prepared
