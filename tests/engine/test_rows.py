"""Rows are made of columns, whatever the number of fields."""

import pytest

from bank_graphql.engine.rows import rows_of

WIDTHS = range(1, 15)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [0, 1, 3])
def test_each_row_has_the_values_of_its_place_under_their_names(width: int, size: int) -> None:
    names = tuple(f"name{n}" for n in range(width))
    columns = [[f"{name} of {row}" for row in range(size)] for name in names]
    made = rows_of(names)(*columns)
    assert [list(row.items()) for row in made] == [[(name, f"{name} of {row}") for name in names] for row in range(size)]


@pytest.mark.parametrize("width", WIDTHS[1:])
def test_columns_of_different_lengths_make_no_rows(width: int) -> None:
    names = tuple(f"name{n}" for n in range(width))
    with pytest.raises(ValueError, match="zip"):
        rows_of(names)(*([[1, 2]] * (width - 1)), [1])
