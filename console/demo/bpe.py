"""A byte-pair vocabulary that is just large enough for the captions, in the format that open_clip's tokenizer reads."""

from __future__ import annotations

import gzip
import itertools
from collections import Counter
from pathlib import Path

HEADER = "#version: 0.2"


def byte_alphabet() -> dict[int, str]:
    """Byte -> printable character, as CLIP's tokenizer has it (Radford et al. 2019, GPT-2's table)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    table = {b: chr(b) for b in printable}
    spare = 256
    for b in range(256):
        if b not in table:
            table[b] = chr(spare)
            spare += 1
    return table


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """The merges, most frequent pair first (ties in alphabetical order), until each word is one token."""
    alphabet = byte_alphabet()
    spelled = [[alphabet[b] for b in word.lower().encode()] for word in dict.fromkeys(words)]
    for symbols in spelled:
        symbols[-1] += "</w>"
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for symbols in spelled for pair in itertools.pairwise(symbols))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for symbols in spelled:
            at = 0
            while at < len(symbols) - 1:
                if (symbols[at], symbols[at + 1]) == best:
                    symbols[at : at + 2] = [best[0] + best[1]]
                at += 1


def write_merges(path: Path, merges: list[tuple[str, str]]) -> None:
    """The same merges always give the same bytes: no time stamp, no name, no newline at the end."""
    text = "\n".join([HEADER, *(f"{a} {b}" for a, b in merges)])
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def vocabulary_size(merges: list[tuple[str, str]]) -> int:
    """Bytes, bytes at the end of a word, merges, start and end of text."""
    return 2 * 256 + len(merges) + 2
