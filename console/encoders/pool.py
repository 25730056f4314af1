"""Encoders loaded once per process, when somebody asks for one, and what state each is in."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from connectors.errors import PlumblineError
from console.encoders.protocol import Encoder
from console.encoders.spec import EncoderSpec


@dataclass(frozen=True, slots=True)
class EncoderState:
    """`why` says what went wrong; `seconds` how long loading took or has been taking."""

    state: Literal["absent", "loading", "ready", "failed"]
    why: PlumblineError | None = None
    seconds: float | None = None


@dataclass(slots=True)
class _Place:
    started: float
    done: threading.Event
    encoder: Encoder | None = None
    error: PlumblineError | None = None
    seconds: float | None = None


Load = Callable[[EncoderSpec], Encoder]


class Pool:
    """Holds every encoder that was asked for. Two specs that differ in tags only share one model.

    A failure is told to everybody who waited, and tried again at the next `get`.
    """

    def __init__(self, load: Load | None = None) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._places: dict[EncoderSpec, _Place] = {}

    def get(self, spec: EncoderSpec) -> Encoder:
        """The loaded encoder; the first call loads it, others that come meanwhile wait for that.

        Raises `encoder-unavailable` where its weights can't be had and `extra-missing` without the `clip` extra.
        """
        key = _key(spec)
        with self._lock:
            place = self._places.get(key)
            mine = place is None or place.error is not None
            if place is None or place.error is not None:
                place = self._places[key] = _Place(time.perf_counter(), threading.Event())
        if mine:
            self._bring(spec, place)
        place.done.wait()
        if place.error is not None:
            raise place.error
        assert place.encoder is not None
        return place.encoder

    def state(self, spec: EncoderSpec) -> EncoderState:
        """Never loads, never waits."""
        with self._lock:
            place = self._places.get(_key(spec))
        if place is None:
            return EncoderState("absent")
        if not place.done.is_set():
            return EncoderState("loading", seconds=time.perf_counter() - place.started)
        return EncoderState("failed" if place.error else "ready", place.error, place.seconds)

    def seconds(self, spec: EncoderSpec) -> float | None:
        """How long loading took; None while it is not ready."""
        state = self.state(spec)
        return state.seconds if state.state == "ready" else None

    def informed(self, spec: EncoderSpec) -> EncoderSpec:
        """The spec with fingerprint and dimension, where this process has loaded it. Never loads."""
        with self._lock:
            place = self._places.get(_key(spec))
        if place is None or place.encoder is None:
            return spec
        return replace(spec, fingerprint=place.encoder.fingerprint, dimension=place.encoder.dimension)

    def _bring(self, spec: EncoderSpec, place: _Place) -> None:
        try:
            place.encoder = (self._load or _open_clip)(spec)
        except PlumblineError as error:
            place.error = error.at(f"encoder {spec.name}")
        except BaseException as fault:
            place.error = PlumblineError(
                "encoder-unavailable",
                f"The encoder could not be loaded ({type(fault).__name__}: {fault}).",
                where=f"encoder {spec.name}",
            )
            if not isinstance(fault, Exception):
                raise
        finally:
            place.seconds = time.perf_counter() - place.started
            place.done.set()


@functools.cache
def shared() -> Pool:
    """The pool of this process."""
    return Pool()


def _key(spec: EncoderSpec) -> EncoderSpec:
    return replace(spec, tags=(), fingerprint=None, dimension=None)


def _open_clip(spec: EncoderSpec) -> Encoder:
    from console.encoders.loading import load

    return load(spec)
