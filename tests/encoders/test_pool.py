from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from connectors.errors import PlumblineError
from console.encoders import Encoder, EncoderSpec, Pool

SPEC = EncoderSpec("a", "ViT-B-32", "x")


class Stand:
    fingerprint = "f"
    dimension = 4


def stand() -> Encoder:
    return cast("Any", Stand())


def test_an_encoder_is_loaded_once_however_many_ask_at_once() -> None:
    calls: list[str] = []
    gate = threading.Event()

    def load(spec: EncoderSpec) -> Encoder:
        calls.append(spec.name)
        gate.wait(10)
        return stand()

    pool = Pool(load)
    got: list[Encoder] = []
    threads = [threading.Thread(target=lambda: got.append(pool.get(SPEC))) for _ in range(8)]
    for thread in threads:
        thread.start()
    while not calls:
        pass
    assert pool.state(SPEC).state == "loading"
    gate.set()
    for thread in threads:
        thread.join()
    assert calls == ["a"]
    assert len({id(e) for e in got}) == 1
    assert pool.state(SPEC).state == "ready"
    assert pool.seconds(SPEC) is not None


def test_asking_for_the_state_loads_nothing() -> None:
    def load(spec: EncoderSpec) -> Encoder:
        raise AssertionError("loaded")

    pool = Pool(load)
    assert pool.state(SPEC).state == "absent"
    assert pool.informed(SPEC) == SPEC


def test_a_failure_is_told_with_its_reason_and_tried_again() -> None:
    answers: list[Any] = [PlumblineError("encoder-unavailable", "No weights."), stand()]

    def load(spec: EncoderSpec) -> Encoder:
        answer = answers.pop(0)
        if isinstance(answer, PlumblineError):
            raise answer
        return answer

    pool = Pool(load)
    with pytest.raises(PlumblineError, match="No weights"):
        pool.get(SPEC)
    state = pool.state(SPEC)
    assert state.state == "failed"
    assert state.why is not None
    assert state.why.where == "encoder a"
    assert pool.get(SPEC).dimension == 4


def test_an_unforeseen_fault_becomes_encoder_unavailable() -> None:
    def load(spec: EncoderSpec) -> Encoder:
        raise KeyError("text_cfg")

    with pytest.raises(PlumblineError) as caught:
        Pool(load).get(SPEC)
    assert caught.value.code == "encoder-unavailable"


def test_tags_do_not_make_another_model_and_what_was_loaded_is_known_afterwards() -> None:
    pool = Pool(lambda spec: stand())
    first = pool.get(SPEC)
    tagged = EncoderSpec("a", "ViT-B-32", "x", tags=("2024",))
    assert pool.get(tagged) is first
    assert pool.informed(tagged).fingerprint == "f"
    assert pool.informed(tagged).tags == ("2024",)
