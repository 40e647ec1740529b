"""Messages of one meaning come together; who has no vector stands alone; nobody is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.tickets.groups import grouped_by_meaning


def packed(*numbers: float) -> bytes:
    vector = np.array(numbers)
    return np.round(vector * 127 / np.abs(vector).max()).astype(np.int8).tobytes()


def test_like_ones_together_the_largest_group_first() -> None:
    fees, hours = packed(1, 0.1, 0), packed(0, 0.1, 1)
    assert grouped_by_meaning([hours, fees, None, packed(1, 0.12, 0.02), fees]) == [[1, 3, 4], [0], [2]]


def test_a_vector_of_zeros_is_no_obstacle() -> None:
    assert grouped_by_meaning([bytes(3), packed(1, 0, 0), bytes(3)]) == [[0], [1], [2]]


def test_vectors_of_another_encoder_stand_alone() -> None:
    assert grouped_by_meaning([packed(1, 0, 0), packed(1, 0), packed(1, 0, 0)]) == [[0, 2], [1]]


@given(st.lists(st.one_of(st.none(), st.binary(min_size=4, max_size=4)), max_size=30))
def test_every_message_is_in_one_group(vectors: list[bytes | None]) -> None:
    groups = grouped_by_meaning(vectors)
    assert sorted(at for group in groups for at in group) == list(range(len(vectors)))
    assert [len(group) for group in groups] == sorted((len(group) for group in groups), reverse=True)
