"""Real texts that are at hand with every Python: the first paragraphs of its standard library's docstrings, and
vectors of them that no part of the checks was fitted to.
"""

from __future__ import annotations

import ast
import functools
import sysconfig
import zlib
from pathlib import Path

import numpy as np

from console.health.table import F32

PACKAGES = ("asyncio", "collections", "concurrent", "ctypes", "email", "encodings", "html", "http", "importlib", "json",
            "logging", "multiprocessing", "tkinter", "unittest", "urllib", "wsgiref", "xml", "xmlrpc", "")  # fmt: skip
FEWEST_WORDS = 4


@functools.cache
def docstrings() -> tuple[tuple[str, str, str], ...]:
    """(text, name, package) of functions and classes, in the order of their files."""
    lib = Path(sysconfig.get_path("stdlib"))
    found: list[tuple[str, str, str]] = []
    for package in PACKAGES:
        for path in sorted((lib / package).glob("*.py")):
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, UnicodeDecodeError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                    if len(text.split()) >= FEWEST_WORDS:
                        found.append((text, node.name, package or path.stem))
    return tuple(found)


def trigrams(texts: list[str], d: int, seed: int = 0) -> F32:
    """Character trigrams, each with a random direction: (n, d) at length 1."""
    directions = np.random.default_rng(seed).normal(size=(8_192, d))
    rows = np.zeros((len(texts), d))
    for i, text in enumerate(texts):
        held = f" {text.lower()} "
        for at in range(len(held) - 2):
            rows[i] += directions[zlib.crc32(held[at : at + 3].encode()) % len(directions)]
    return _unit(rows)


def latent(texts: list[str], d: int) -> F32:
    """Latent semantic analysis (Deerwester et al., 1990): the first d singular directions of TF-IDF, at length 1."""
    from scipy.sparse.linalg import svds
    from sklearn.feature_extraction.text import TfidfVectorizer

    weights = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+|[^\w\s]").fit_transform(texts)
    left, values, _ = svds(weights, k=d, random_state=0)
    return _unit(left * values)


def _unit(rows: np.ndarray) -> F32:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-9).astype(np.float32)
