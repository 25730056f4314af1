"""Weights on a model hub: are they here already, and could they be fetched? Answered within two seconds."""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from connectors.errors import PlumblineError
from console.encoders import heavy

PATIENCE: Final = 1.2
"""Seconds that the hub has to answer; its client alone would try for most of a minute."""
WEIGHT_NAMES: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
SMALL_FILES: Final = ("*.json", "*.txt", "*.model", "*.gz")


def offline() -> str | None:
    """The variable that forbids asking the hub, if one does."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").strip().upper() in {"1", "ON", "YES", "TRUE"}:
            return name
    return None


def cached(repository: str, names: tuple[str, ...]) -> Path | None:
    """The first of these files that lies in the cache."""
    for name in names:
        found: Any = heavy.huggingface_hub().try_to_load_from_cache(repository, name)
        if isinstance(found, str):
            return Path(found)
    return None


def fetched(repository: str, names: tuple[str, ...], where: str) -> Path:
    """The first of these files that exists, from the cache or, where the hub answers, fetched into it.

    Raises `encoder-unavailable`, within two seconds where the hub can't be reached.
    """
    found = cached(repository, names)
    if found is not None:
        return found
    _require_hub(repository, where)
    why = ""
    for name in names:
        try:
            return Path(heavy.huggingface_hub().hf_hub_download(repository, name))
        except Exception as fault:
            why = f"{type(fault).__name__}: {fault}"
    raise unavailable(f"The hub has no weights of {repository} for us ({why}).", repository, where)


def folder(repository: str, where: str) -> Path:
    """A local copy of an open_clip repository: its configuration, tokenizer and weights. Raises as `fetched`."""
    config = cached(repository, ("open_clip_config.json",))
    weights = cached(repository, WEIGHT_NAMES)
    if config is not None and weights is not None and config.parent == weights.parent:
        return config.parent
    _require_hub(repository, where)
    try:
        small: str = heavy.huggingface_hub().snapshot_download(repository, allow_patterns=list(SMALL_FILES))
    except Exception as fault:
        why = f"{type(fault).__name__}: {fault}"
        raise unavailable(f"{repository} could not be fetched ({why}).", repository, where) from None
    fetched(repository, WEIGHT_NAMES, where)
    return Path(small)


def unavailable(message: str, repository: str, where: str) -> PlumblineError:
    return PlumblineError(
        "encoder-unavailable",
        message,
        where=where,
        hint=f"Bring the weights: run `hf download {repository}` where the hub can be reached and copy its cache "
        "(HF_HOME) here, or let `pretrained` name a local file or `model` a folder (`local-dir:FOLDER`).",
    )


def _require_hub(repository: str, where: str) -> None:
    variable = offline()
    if variable is not None:
        message = (
            f"The weights of {repository} are not in the local cache, and {variable} forbids fetching them."
        )
        raise unavailable(message, repository, where)
    why = _unreachable(repository)
    if why is not None:
        message = (
            f"The weights of {repository} are not in the local cache, and the hub can't be reached ({why})."
        )
        raise unavailable(message, repository, where)


def _unreachable(repository: str) -> str | None:
    """Why the hub does not answer; None where it does. Honours HF_ENDPOINT and the proxy variables."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    outcome: list[str | None] = [f"no answer within {PATIENCE:g} s"]

    def ask() -> None:
        request = urllib.request.Request(f"{endpoint}/api/models/{repository}", method="HEAD")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
                outcome[0] = None
        except urllib.error.HTTPError as answer:
            known = {401: "it is private or does not exist", 404: "it does not exist"}
            outcome[0] = known.get(answer.code, f"HTTP {answer.code}")
        except (OSError, ValueError) as fault:
            outcome[0] = str(getattr(fault, "reason", fault)) or type(fault).__name__

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE + 0.1)
    return outcome[0]
