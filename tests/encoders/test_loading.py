from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from connectors.errors import PlumblineError
from console.encoders import EncoderSpec, hub, specs
from console.encoders.loading import find, load
from console.encoders.openclip import OpenClipEncoder
from console.encoders.spec import WEIGHTS, built_in
from console.settings.model import EncoderSettings, Settings

V1 = built_in()["scenes-v1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WEIGHTS / "scenes-v1", tmp_path / "model"))


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that does not answer: packets to TEST-NET-1 are dropped or refused."""
    for name in (
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "https://192.0.2.1")


def refusal(spec: EncoderSpec) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        load(spec)
    assert caught.value.code == "encoder-unavailable"
    assert caught.value.where == f"encoder {spec.name}"
    return caught.value


def test_the_manifest_tells_what_loading_finds() -> None:
    for spec in built_in().values():
        encoder = load(spec)
        assert (encoder.fingerprint, encoder.dimension) == (spec.fingerprint, spec.dimension)


def test_a_fingerprint_is_the_same_in_another_process_and_another_place(folder: Path) -> None:
    code = (
        "import sys; from console.encoders import EncoderSpec; from console.encoders.loading import load;"
        "sys.stdout.write(load(EncoderSpec('elsewhere', sys.argv[1], tags=('x',))).fingerprint)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "5"},
    )
    assert run.stdout == V1.fingerprint


def change_weights(folder: Path) -> None:
    path = folder / "open_clip_model.safetensors"
    tensors = load_file(path)
    tensors["text_projection"][0, 0] += 0.01
    save_file(tensors, path)


def change_preprocessing(folder: Path) -> None:
    path = folder / "open_clip_config.json"
    held = json.loads(path.read_text())
    held["preprocess_cfg"]["mean"] = [0.5, 0.5, 0.51]
    path.write_text(json.dumps(held))


def change_tokenizer(folder: Path) -> None:
    import gzip

    path = folder / "bpe.txt.gz"
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    lines[-1], lines[-2] = lines[-2], lines[-1]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.parametrize("change", [change_weights, change_preprocessing, change_tokenizer])
def test_a_fingerprint_tells_models_apart_by_each_of_their_parts(folder: Path, change: object) -> None:
    change(folder)  # type: ignore[operator]
    assert load(EncoderSpec("changed", f"local-dir:{folder}")).fingerprint != V1.fingerprint


def test_a_fingerprint_holds_normalising_and_the_configured_precision_but_no_device_name_or_tag() -> None:
    base = load(V1).fingerprint
    assert load(replace(V1, normalize=False)).fingerprint != base
    assert load(replace(V1, precision="pure_bf16")).fingerprint != base
    assert load(replace(V1, device="cpu", name="other", tags=("t",))).fingerprint == base


def test_automatic_precision_is_resolved_for_the_machine_and_shown() -> None:
    encoder = load(replace(V1, precision="auto", device="cpu"))
    assert (encoder.precision, encoder.device) == ("fp32", "cpu")


def test_a_model_by_name_with_a_local_file_is_loaded_strictly(tmp_path: Path) -> None:
    torch.manual_seed(1)
    for name, width in (("plumbline-small", 32), ("plumbline-other", 64)):
        config = {
            "embed_dim": 24,
            "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": width, "heads": 2, "layers": 1},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    path = tmp_path / "weights.pt"
    torch.save(open_clip.create_model("plumbline-small").state_dict(), path)
    encoder = load(EncoderSpec("mine", "plumbline-small", str(path), device="cpu"))
    assert encoder.dimension == 24
    assert encoder.context_length == 77
    assert "belongs to another model" in refusal(EncoderSpec("mine", "plumbline-other", str(path))).hint


@pytest.mark.parametrize("size", [0, 100, 1_000_000])
def test_a_truncated_weights_file_is_a_clear_error(folder: Path, size: int) -> None:
    path = folder / "open_clip_model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert "open_clip_model.safetensors" in refusal(EncoderSpec("cut", f"local-dir:{folder}")).message


def test_a_folder_without_weights_or_configuration_never_gives_random_vectors(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    assert "no weights" in refusal(EncoderSpec("empty", f"local-dir:{folder}")).message
    (folder / "open_clip_config.json").write_text("{}")
    assert "can't be read" in refusal(EncoderSpec("empty", f"local-dir:{folder}")).message
    (folder / "open_clip_config.json").unlink()
    assert "open_clip_config.json" in refusal(EncoderSpec("empty", str(folder))).message


def test_a_wrong_model_tag_or_device_names_what_is_there() -> None:
    assert "ViT-B-32" in refusal(EncoderSpec("a", "ViT-B-23", "openai")).hint
    assert "openai" in refusal(EncoderSpec("a", "ViT-B-32", "opnai")).hint
    assert "openai" in refusal(EncoderSpec("a", "ViT-B-32")).hint
    assert "cpu" in refusal(replace(V1, name="a", device="abacus")).hint


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize(
    "spec",
    [
        EncoderSpec("tag", "ViT-B-32", "laion2b_s34b_b79k"),
        EncoderSpec("hub", "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    ],
    ids=["tag", "hub"],
)
@pytest.mark.parametrize("offline", [True, False])
def test_weights_out_of_reach_are_a_clear_error_within_two_seconds(
    spec: EncoderSpec, offline: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hub, "cached", lambda repository, names: None)
    if offline:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    started = time.perf_counter()
    error = refusal(spec)
    assert time.perf_counter() - started < 8
    assert ("HF_HUB_OFFLINE" in error.message) == offline
    assert "hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K" in error.hint


def test_weights_in_the_cache_are_found_without_asking_the_hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    weights = tmp_path / "open_clip_model.safetensors"
    weights.write_bytes(b"")
    monkeypatch.setattr(hub, "cached", lambda repository, names: weights)
    found = find(EncoderSpec("tag", "ViT-B-32", "laion2b_s34b_b79k"), "here")
    assert (found.weights, found.quick_gelu) == (weights, False)


def test_look_alikes_that_differ_in_their_activation_are_corrected_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hub, "fetched", lambda repository, names, where: tmp_path / names[0])
    corrected = find(EncoderSpec("a", "ViT-B-32", "openai"), "here")
    assert corrected.quick_gelu
    assert "QuickGELU" in corrected.notes[0]
    assert not find(EncoderSpec("a", "ViT-B-32-quickgelu", "openai"), "here").notes
    with pytest.raises(PlumblineError) as caught:
        find(EncoderSpec("a", "ViT-B-32-quickgelu", "laion2b_s34b_b79k"), "here")
    assert "set `model` to ViT-B-32." in caught.value.hint


def test_settings_make_specs_and_a_section_may_add_tags_to_a_built_in_encoder() -> None:
    settings = Settings(
        home=Path("/nowhere"),
        encoders={
            "mine": EncoderSettings("mine", "ViT-B-32", "openai", "bf16", "cpu", False, ("2024",)),
            "scenes-v1": EncoderSettings("scenes-v1", tags=("v1",)),
        },
    )
    found = specs(settings)
    assert list(found) == ["scenes-v1", "scenes-v2", "mine"]
    assert found["mine"] == EncoderSpec("mine", "ViT-B-32", "openai", "bf16", "cpu", False, ("2024",))
    assert found["mine"].fingerprint is None
    assert found["scenes-v1"].tags == ("v1",)
    assert found["scenes-v1"].fingerprint == V1.fingerprint


def test_importing_the_encoders_loads_neither_torch_nor_pillow() -> None:
    code = (
        "import sys, console.encoders, console.encoders.sources, console.encoders.images;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'PIL', 'open_clip', 'huggingface_hub', 'streamlit')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_the_error_says_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(PlumblineError) as caught:
        load(V1)
    assert caught.value.code == "extra-missing"
    assert "plumbline[clip]" in caught.value.hint


def test_an_encoder_says_what_it_is(scenes_v1: OpenClipEncoder) -> None:
    assert scenes_v1.name == "scenes-v1"
    assert scenes_v1.modalities == ("text", "image")
    assert scenes_v1.normalizes
    assert scenes_v1.precision == "fp32"
    assert scenes_v1.context_length == 28
