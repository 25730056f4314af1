"""From a spec to a loaded encoder, or a clear reason why not."""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connectors.errors import PlumblineError
from console.encoders import heavy, hub
from console.encoders.fingerprint import canonical, file_hash, fingerprint
from console.encoders.images import extra_missing
from console.encoders.openclip import OpenClipEncoder
from console.encoders.spec import EncoderSpec

LOCAL: Final = "local-dir:"
HUB: Final = "hf-hub:"
CONFIG_NAME: Final = "open_clip_config.json"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model's parts lie on this machine."""

    model: str
    """open_clip's name, or `local-dir:FOLDER`."""
    config: Mapping[str, Any]
    weights: Path
    preprocess: Mapping[str, Any]
    folder: Path | None = None
    quick_gelu: bool = False
    notes: tuple[str, ...] = ()


def load(spec: EncoderSpec) -> OpenClipEncoder:
    """Loads the model and encodes one text with it.

    Raises `extra-missing` without torch and open_clip, `encoder-unavailable` where the model, its weights or its
    device can't be had; no weights in reach takes less than two seconds beside the import of torch.
    """
    try:
        torch, open_clip = heavy.torch(), heavy.open_clip()
    except ImportError as fault:
        raise extra_missing(f"What runs encoders ({fault.name})", "clip").at(f"encoder {spec.name}") from None
    where = f"encoder {spec.name}"
    source = find(spec, where)
    device = _device(spec.device, where)
    precision = _precision(spec.precision, device)
    try:
        model: Any = open_clip.create_model(
            source.model,
            pretrained=None if source.folder else str(source.weights),
            precision=precision,
            device=torch.device(device),
            force_quick_gelu=source.quick_gelu,
            force_preprocess_cfg=dict(source.preprocess) or None,
            pretrained_text=False,
            require_pretrained=True,
        )
        tokenizer: Any = _tokenizer(source)
    except PlumblineError:
        raise
    except Exception as fault:
        raise PlumblineError(
            "encoder-unavailable",
            f"The model can't be built from {source.weights.name} ({type(fault).__name__}: {fault}).",
            where=where,
            hint="The file is damaged or belongs to another model: check `model` and `pretrained`, or bring it anew.",
        ) from None
    print_ = fingerprint(
        model={**source.config, "quick_gelu": source.quick_gelu or bool(source.config.get("quick_gelu"))},
        weights=file_hash(source.weights),
        preprocess=model.visual.preprocess_cfg,
        tokenizer=_identity(tokenizer, source),
        precision=spec.precision,
        normalize=spec.normalize,
    )
    return OpenClipEncoder(
        model,
        tokenizer,
        name=spec.name,
        fingerprint=print_,
        normalize=spec.normalize,
        tags=spec.tags,
        device=device,
        precision=precision,
        notes=source.notes,
    )


def find(spec: EncoderSpec, where: str) -> Source:
    """Where the parts of `spec` lie; fetches them where a hub has them and answers."""
    name = spec.model
    if name.startswith(HUB):
        return _in_folder(hub.folder(name.removeprefix(HUB), where), where)
    if name.startswith(LOCAL) or Path(name).is_absolute():
        return _in_folder(Path(name.removeprefix(LOCAL)), where)
    return _by_name(name.replace("/", "-"), spec.pretrained, where)


def _in_folder(folder: Path, where: str) -> Source:
    path = folder / CONFIG_NAME
    if not path.is_file():
        hint = f"A folder for an encoder holds {CONFIG_NAME} and the weights."
        raise PlumblineError("encoder-unavailable", f"{folder} has no {CONFIG_NAME}.", where=where, hint=hint)
    try:
        held: Any = json.loads(path.read_text(encoding="utf-8"))
        config: dict[str, Any] = held["model_cfg"]
        preprocess: dict[str, Any] = held.get("preprocess_cfg") or {}
    except (OSError, ValueError, KeyError, TypeError) as fault:
        why = f"{path} can't be read ({type(fault).__name__}: {fault})."
        raise PlumblineError("encoder-unavailable", why, where=where) from None
    # The very file that open_clip will load: a folder may hold several.
    found: str | None = heavy.open_clip().factory._find_checkpoint_in_dir(folder)
    if found is None:
        hint = "Bring the weights as open_clip_model.safetensors."
        raise PlumblineError("encoder-unavailable", f"{folder} has no weights.", where=where, hint=hint)
    return Source(f"{LOCAL}{folder}", config, Path(found), preprocess, folder)


def _by_name(name: str, pretrained: str | None, where: str) -> Source:
    clip = heavy.open_clip()
    config: dict[str, Any] | None = copy.deepcopy(clip.get_model_config(name))
    if config is None:
        models: list[str] = clip.list_models()
        near = difflib.get_close_matches(name, models, 1, 0.0)
        hint = f"Did you mean {near[0]}?" if near else ""
        message = f"open_clip knows no model `{name}`."
        raise PlumblineError("encoder-unavailable", message, where=where, hint=hint)
    tags: list[str] = clip.list_pretrained_tags_by_model(name)
    if pretrained is None:
        hint = f"Set `pretrained` to a file or to one of: {', '.join(tags)}."
        raise PlumblineError("encoder-unavailable", "No weights are configured.", where=where, hint=hint)
    known: dict[str, Any] = clip.get_pretrained_cfg(name, pretrained)
    if not known:
        path = Path(pretrained).expanduser()
        if not path.is_file():
            plain = name.removesuffix("-quickgelu")
            if plain != name and clip.get_pretrained_cfg(plain, pretrained):
                hint = f"These weights were trained with GELU, {name} computes QuickGELU: set `model` to {plain}."
            else:
                hint = f"`pretrained` is a file or one of: {', '.join(tags)}."
            message = f"`{pretrained}` is neither a file nor a tag of {name}."
            raise PlumblineError("encoder-unavailable", message, where=where, hint=hint)
        return Source(name, config, path, {})
    quick = bool(known.get("quick_gelu"))
    notes = ()
    if quick and not config.get("quick_gelu"):
        notes = (
            f"`{pretrained}` was trained with QuickGELU: {name} runs with it, as {name}-quickgelu does.",
        )
    return Source(name, config, _tagged_weights(known, where), _preprocess(known), None, quick, notes)


def _tagged_weights(known: Mapping[str, Any], where: str) -> Path:
    repository, _, file = str(known.get("hf_hub", "")).rpartition("/")
    if known.get("file"):
        return Path(str(known["file"]))
    if not repository:
        url = str(known.get("url", ""))
        kept = Path("~/.cache/clip").expanduser() / url.rsplit("/", 1)[-1]
        if kept.is_file():
            return kept
        hint = f"Fetch {url} and let `pretrained` name the file."
        raise PlumblineError("encoder-unavailable", "The weights are not here.", where=where, hint=hint)
    names = hub.WEIGHT_NAMES
    if file:
        safe = file[: file.rfind(".")] + ".safetensors"
        names = (safe, file) if file.endswith((".bin", ".pth")) else (file,)
    return hub.fetched(repository, names, where)


def _preprocess(known: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("mean", "std", "interpolation", "resize_mode", "size")
    return {k: known[k] for k in keys if known.get(k) is not None}


def _device(wanted: str, where: str) -> str:
    torch = heavy.torch()
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError) as fault:
        why = str(fault).split("\n", 1)[0]
        message = f"The device `{wanted}` can't be used ({why})."
        hint = "Set `device` to auto or cpu."
        raise PlumblineError("encoder-unavailable", message, where=where, hint=hint) from None
    return wanted


def _precision(wanted: str, device: str) -> str:
    if wanted != "auto":
        return wanted
    return "fp32" if device == "cpu" else "fp16"


def _tokenizer(source: Source) -> Any:
    clip = heavy.open_clip()
    text: Mapping[str, Any] = source.config.get("text_cfg") or {}
    options: Mapping[str, Any] = text.get("tokenizer_kwargs") or {}
    vocabulary: str | None = options.get("bpe_path")
    if source.folder is not None and vocabulary:
        # open_clip would look for it in the working directory.
        return clip.get_tokenizer(source.model, bpe_path=str(source.folder / vocabulary))
    return clip.get_tokenizer(source.model)


def _identity(tokenizer: Any, source: Source) -> dict[str, Any]:
    """Class, vocabulary and context length of a tokenizer."""
    kind = type(tokenizer).__name__
    length = int(tokenizer.context_length)
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is not None:
        vocabulary: dict[str, int] = inner.get_vocab()
        return {"class": kind, "vocabulary": _sha256(canonical(vocabulary)), "context_length": length}
    merges: dict[tuple[str, str], int] = tokenizer.bpe_ranks
    ordered = "\n".join(" ".join(pair) for pair in sorted(merges, key=lambda pair: merges[pair]))
    return {"class": kind, "vocabulary": _sha256(ordered.encode()), "context_length": length}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
