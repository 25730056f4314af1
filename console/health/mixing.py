"""Which version tag is the main one: the rule by which rows are foreign, on counts alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

M = TypeVar("M", bound=Hashable)
K = TypeVar("K", bound=Hashable)


def main_tags(
    every: Mapping[K, int],
    modalities: Mapping[M, Mapping[K, int]],
    by_design: float,
    main: Callable[[Mapping[K, int]], K],
) -> dict[M, K]:
    """The tag that each modality's rows should have: the main one of all rows, but for a modality that hardly has it and
    then has an encoder of its own.

    Args:
        every: tag -> rows, at least one row in all, those without a modality among them.
        modalities: modality -> tag -> rows.
        by_design: share of the main tag below which a modality has its own.
        main: the main one of some tags by their rows.
    """
    common = main(every)
    return {
        modality: main(held) if held.get(common, 0) < by_design * sum(held.values()) else common
        for modality, held in modalities.items()
    }


def main_tag(counts: Mapping[K, int], name: Callable[[K], str], encoder: str | None) -> K:
    """The tag of most rows; of equal ones the known encoder's, the higher number ("v2" over "v1"), the first name."""
    most = max(counts.values())
    names = {tag: name(tag) for tag, count in counts.items() if count == most}
    main, *others = sorted(names, key=lambda tag: (names[tag] != encoder, names[tag]))
    for other in others:
        a, b = re.split(r"(\d{1,18})", names[main]), re.split(r"(\d{1,18})", names[other])
        if names[main] != encoder and a[::2] == b[::2] and [*map(int, b[1::2])] > [*map(int, a[1::2])]:
            main = other
    return main
