"""Texts of one meaning together: leaders and who is near them."""

from __future__ import annotations

from collections.abc import Sequence

NEAR = 0.95
"""The cosine from which on two messages on one matter ask the same: half of all pairs of questions are nearer than 0.93 (on the
301 inquiries of data/evaluation/{services,day}.jsonl), one in a hundred than 0.95."""


def nearness(vector: bytes | None, others: Sequence[bytes | None]) -> list[float]:
    """The cosine of each with `vector`; 0 for what has no vector, or another encoder's."""
    import numpy as np

    def unit(packed: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        numbers = np.frombuffer(packed, np.int8).astype(np.float32)
        return numbers / (np.linalg.norm(numbers) or 1.0)

    if vector is None:
        return [0.0] * len(others)
    of = unit(vector)
    return [float(unit(each) @ of) if each and len(each) == len(vector) else 0.0 for each in others]


def grouped_by_meaning(vectors: Sequence[bytes | None], near: float = NEAR) -> list[list[int]]:
    """Places of `vectors` in groups: the largest first, each in the order given; what has no vector is alone.

    A vector is a byte a number (int8); one of another length than the first is of another encoder, and alone. Each joins the
    group whose mean is nearest, or begins one: the order given decides, so give the newest first.
    """
    import numpy as np  # 25 MB that a house whose desk never opens that page need not hold

    size = next((len(packed) for packed in vectors if packed is not None), 0)
    means, known = np.zeros((len(vectors), size), np.float32), 0  # of length one
    sums, groups, of_sum = np.zeros_like(means), list[list[int]](), list[int]()
    for at, packed in enumerate(vectors):
        if packed is None or len(packed) != size:
            groups.append([at])
            continue
        vector = np.frombuffer(packed, np.int8).astype(np.float32)
        vector /= np.linalg.norm(vector) or 1.0
        cosines = means[:known] @ vector
        nearest = int(cosines.argmax()) if known else -1
        if known and cosines[nearest] >= near:
            groups[of_sum[nearest]].append(at)
        else:
            nearest, known = known, known + 1
            of_sum.append(len(groups))
            groups.append([at])
        sums[nearest] += vector
        means[nearest] = sums[nearest] / (np.linalg.norm(sums[nearest]) or 1.0)
    return sorted(groups, key=lambda group: (-len(group), group[0]))
