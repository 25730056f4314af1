"""How alike two texts are by their words alone: TF-IDF, without a model and without scipy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from console.health.table import F32, F64, I64

LONGEST: Final = 4_000
"""Characters of a text that are looked at."""
DENSE: Final = 768
"""The commonest words go through a matrix product; the others through lists of the rows that have them."""
BLOCK: Final = 256
DRAW: Final = 2e-6
"""Added to cosines at random, so that of equally similar texts not always the first are taken."""
_WORD: Final = re.compile(r"\w\w+")
_IDEOGRAPHS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]{2,}")


def words(text: str) -> list[str]:
    """Lower-case words of two or more characters; a run of a script without spaces as its pairs of characters."""
    out: list[str] = []
    for word in _WORD.findall(text[:LONGEST].lower()):
        runs = _IDEOGRAPHS.findall(word)
        if runs:
            out += [run[i : i + 2] for run in runs for i in range(len(run) - 1)]
        else:
            out.append(word)
    return out


class Tfidf:
    """Vectors of n texts at length 1: counts times ln((1 + n) / (1 + rows with the word)) + 1.

    That is scikit-learn's `TfidfVectorizer` as it comes. A text without words has a vector of zeros.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        n = len(texts)
        numbers: dict[str, int] = {}
        row: list[int] = []
        term: list[int] = []
        count: list[int] = []
        for i, text in enumerate(texts):
            for word, times in Counter(words(text)).items():
                row.append(i)
                term.append(numbers.setdefault(word, len(numbers)))
                count.append(times)
        self.n = n
        rows, terms = np.array(row, np.int64), np.array(term, np.int64)
        rows_with = np.bincount(terms, minlength=len(numbers))
        idf: F64 = np.log((1 + n) / (1 + rows_with)) + 1
        weight: F64 = np.array(count, np.float64) * idf[terms]
        length: F64 = np.sqrt(np.bincount(rows, weights=weight**2, minlength=n))
        weight = weight / length[rows]
        # A word of one row alone adds to its length and to nothing else.
        shared = rows_with > 1
        common = np.argsort(-rows_with, kind="stable")[: min(DENSE, int(shared.sum()))]
        column = np.full(len(numbers), -1, np.int64)
        column[common] = np.arange(len(common))
        in_dense = column[terms] >= 0
        self._dense = np.zeros((n, len(common)), np.float32)
        self._dense[rows[in_dense], column[terms[in_dense]]] = weight[in_dense]
        rest = ~in_dense & shared[terms]
        # By term, rows ascending: the list of the rows that have it.
        by_term = np.argsort(terms[rest], kind="stable")
        self._rows, self._weights = rows[rest][by_term], weight[rest][by_term]
        found = terms[rest][by_term]
        self._starts = np.searchsorted(found, np.arange(len(numbers) + 1))
        self._row_starts = np.searchsorted(rows[rest], np.arange(n + 1))
        self._row_terms, self._row_weights = terms[rest], weight[rest]

    def similarity(self, rows: I64) -> F32:
        """(len(rows), n) float32: cosines of these rows with every row."""
        out = self._dense[rows] @ self._dense.T
        for i, row in enumerate(rows):
            mine = slice(self._row_starts[row], self._row_starts[row + 1])
            for term, weight in zip(self._row_terms[mine], self._row_weights[mine], strict=True):
                them = slice(self._starts[term], self._starts[term + 1])
                out[i, self._rows[them]] += weight * self._weights[them]
        return out


def nearest(texts: Tfidf, rows: I64, k: int, groups: I64 | None = None) -> tuple[I64, F32]:
    """The k rows with the most similar text for each of `rows`: numbers (q, k) and cosines, best first.

    The row itself is left out; `groups`: (n,) only rows of the same number are compared. Where there are fewer
    than k, numbers are -1 and cosines 0. Of equal ones some are drawn, always the same ones.
    """
    n = texts.n
    k = min(k, max(n - 1, 0))
    numbers, cosines = np.full((len(rows), k), -1, np.int64), np.zeros((len(rows), k), np.float32)
    if not k:
        return numbers, cosines
    rng = np.random.default_rng(0)
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        scores = texts.similarity(part)
        scores += (rng.random(n) * DRAW).astype(np.float32)
        scores[np.arange(len(part)), part] = -1
        if groups is not None:
            scores[groups[part][:, None] != groups[None, :]] = -1
        best = np.argpartition(scores, n - k, axis=1)[:, n - k :]
        held = np.take_along_axis(scores, best, axis=1)
        ranked = np.argsort(-held, axis=1, kind="stable")
        held = np.take_along_axis(held, ranked, axis=1)
        found = np.take_along_axis(best, ranked, axis=1)
        there = held > DRAW
        numbers[start : start + len(part)] = np.where(there, found, -1)
        cosines[start : start + len(part)] = np.where(there, held, 0)
    return numbers, cosines
