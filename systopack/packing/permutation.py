"""Row permutation: put the channels that a following layer groups together side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def contiguous_order(groups: Iterable[ArrayLike], channels: int) -> NDArray[np.int64]:
    """An order of the channels in which groups are contiguous where that is possible.

    Pairs of channels are joined into chains, those that most groups share first; then the chains
    are laid one after another, by their lowest channel. Where every channel is in at most one
    group (one grouping, one column per channel) each group is one chain, so all are contiguous;
    elsewhere this is a greedy choice of the pairs that lie next to each other.

    Args:
        groups: channels that should be neighbours; repetitions within a group are ignored.
        channels: number of channels.

    Returns:
        Shape (channels,): position -> channel.
    """
    shared: Counter[tuple[int, int]] = Counter()
    for group in groups:
        members = np.unique(np.asarray(group)).tolist()
        for index, first in enumerate(members):
            for second in members[index + 1 :]:
                shared[first, second] += 1
    chain_of = list(range(channels))
    chains = {channel: [channel] for channel in range(channels)}
    for first, second in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        one, other = chain_of[first], chain_of[second]
        if one == other:
            continue
        left, right = chains[one], chains[other]
        if left[-1] != first:
            left = left[::-1]
        if right[0] != second:
            right = right[::-1]
        if left[-1] != first or right[0] != second:
            continue  # one of the two already has two neighbours
        chains[one] = left + right
        del chains[other]
        for channel in right:
            chain_of[channel] = one
    laid = sorted(chains.values(), key=min)
    return np.array([channel for chain in laid for channel in chain], dtype=np.int64)


def streams_out_of_place(groups: Iterable[ArrayLike]) -> int:
    """Input streams that do not leave the array before beside the others of their group.

    In each group the longest run of consecutive channels is in place, the other channels are
    not; a channel that a group reads at several displacements is one stream.

    Args:
        groups: for each column group the positions of its channels.
    """
    out_of_place = 0
    for group in groups:
        members = np.unique(np.asarray(group, dtype=np.int64))
        if members.size == 0:
            continue
        breaks = np.flatnonzero(np.diff(members) != 1)
        bounds = np.concatenate([[0], breaks + 1, [members.size]])
        out_of_place += int(members.size - np.diff(bounds).max())
    return out_of_place
