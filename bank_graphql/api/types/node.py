"""Relay's Node interface and connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import strawberry

from bank_graphql.api.types.sources import Identified
from bank_graphql.engine.costs import Cost, ListSize
from bank_graphql.kit.ids import encode_cursor, global_id
from bank_graphql.kit.paging import DEFAULT_SIZE, KeyType, Slice

T = TypeVar("T")
Row = TypeVar("Row", bound=Identified)


@strawberry.interface(description="An object with a globally unique id, which `node` finds by it.")
class Node:
    id: strawberry.ID = strawberry.field(description="The globally unique id, for `node`. Treat it as opaque.")


def node_id(kind: str) -> strawberry.ID:
    """The field `id` of the type `kind`."""

    def resolve(root: Identified) -> strawberry.ID:
        return global_id(kind, root.id)  # type: ignore[return-value]  # a NewType takes time to call

    return strawberry.field(resolver=resolve, description="The globally unique id, for `node`. Treat it as opaque.")


@strawberry.type(description="The position of a page in its list.", directives=[Cost(weight="0")])
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more items follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the page's first item. Null if the page is empty.")
    end_cursor: str | None = strawberry.field(description="The cursor of the page's last item. Null if the page is empty.")


@strawberry.type(description="An item of a list, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The item's position in the list, for `after` and `before`.")
    node: T = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The page's items with their cursors.")
    nodes: list[T] = strawberry.field(description="The page's items.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in its list.")


def page_size(*arguments: str) -> ListSize:
    """Return what a field that leads to a connection declares about its size: the arguments that may say it."""
    return ListSize(
        assumed_size=DEFAULT_SIZE,
        slicing_arguments=list(arguments),
        sized_fields=["edges", "nodes"],
        require_one_slicing_argument=False,
    )


@dataclass(frozen=True, slots=True)
class Paged(Generic[Row]):
    """A page as the connection types read it."""

    slice: Slice[Row]
    key: KeyType

    @property
    def nodes(self) -> Sequence[Row]:
        """The page's rows."""
        return self.slice.items

    @property
    def edges(self) -> list[Edge[Row]]:
        """The page's rows with their cursors."""
        return [Edge(cursor=self._cursor(row), node=row) for row in self.slice.items]

    @property
    def page_info(self) -> PageInfo:
        """Where the page lies."""
        items = self.slice.items
        return PageInfo(
            has_next_page=self.slice.has_next,
            has_previous_page=self.slice.has_previous,
            start_cursor=self._cursor(items[0]) if items else None,
            end_cursor=self._cursor(items[-1]) if items else None,
        )

    def _cursor(self, row: Row) -> str:
        return encode_cursor(self.key.kind, row.id)
