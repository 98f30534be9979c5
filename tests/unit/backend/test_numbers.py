"""Numbers of an update, and those of later ones ahead of time."""

from __future__ import annotations

import pytest

from polylux.backend import Numbers


def squares(update: int) -> tuple[float, ...]:
    if update > 4:
        raise ValueError(update)
    return (float(update), float(update * update))


def test_they_are_a_sequence_of_those_of_the_update() -> None:
    numbers = Numbers(squares, 3)
    assert numbers.now() == (3.0, 9.0)
    assert list(numbers) == [3.0, 9.0]
    assert len(numbers) == 2
    assert numbers[1] == 9.0


def test_later_ones_stop_where_the_function_raises() -> None:
    assert Numbers(squares, 3).ahead(10) == [(3.0, 9.0), (4.0, 16.0)]
    assert Numbers(squares, 1).ahead(2) == [(1.0, 1.0), (2.0, 4.0)]


def test_an_error_of_the_update_itself_is_raised() -> None:
    with pytest.raises(ValueError, match="5"):
        Numbers(squares, 5).ahead(3)
