"""Looks into a model's folder before anything heavy is loaded: is every file there, whole, and the file itself?"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from mars2.core.errors import ConfigError

_POINTERS = (b"version https://git-lfs.github.com/spec/", b"# xet version")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Where transformers looks for weights, in this order."""
_OTHER_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf")  # what an engine may find besides
_TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt", "spiece.model"),
    *("sentencepiece.bpe.model", "*.tiktoken"),
)
_AGAIN = "download it again"


def check_folder(field: str, folder: Path) -> None:
    """
    Raises:
        ConfigError: names `field`, the file and the remedy.
    """
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        _check_is_no_pointer(field, file)
    config = folder / "config.json"
    if not config.is_file():
        if (folder / "adapter_config.json").is_file():
            raise ConfigError(
                f"{field}: {folder} is a LoRA adapter, not a whole model; merge it into its base model and save that "
                "(merge_and_unload of peft)"
            )
        raise ConfigError(f"{field}: {folder} has no config.json; give a Hugging Face model folder")
    _json(field, config)
    _check_tokenizer(field, folder)
    _check_weights(field, folder)


def _check_is_no_pointer(field: str, file: Path) -> None:
    with file.open("rb") as opened:
        if opened.read(64).startswith(_POINTERS):
            raise ConfigError(
                f"{field}: {file} is a Git LFS pointer in place of the file; run `git lfs pull` in the folder, or "
                "download it again"
            )


def _json(field: str, file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ConfigError(f"{field}: {file} is cut or damaged (not JSON); {_AGAIN}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{field}: {file} holds no JSON object; {_AGAIN}")
    return data


def _check_tokenizer(field: str, folder: Path) -> None:
    if not any(file for name in _TOKENIZERS for file in folder.glob(name)):
        raise ConfigError(
            f"{field}: {folder} has no tokenizer (tokenizer.json); copy the files of the model's tokenizer into it"
        )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            _json(field, folder / name)


def _check_weights(field: str, folder: Path) -> None:
    file = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if file is None:
        if not any(path for name in _OTHER_WEIGHTS for path in folder.glob(name)):
            raise ConfigError(f"{field}: {folder} has no weights (model.safetensors); {_AGAIN}")
        return
    parts = [file]
    if file.suffix == ".json":
        named = _json(field, file).get("weight_map")
        if not isinstance(named, dict):
            raise ConfigError(f"{field}: {file} has no weight_map; {_AGAIN}")
        parts = [folder / str(name) for name in sorted(set(named.values()))]
    for part in parts:
        if not part.is_file():
            raise ConfigError(f"{field}: {part} is missing, though {file.name} names it; {_AGAIN}")
        found, wanted = part.stat().st_size, _whole_size(part)
        if found != wanted:
            size = f"{found} bytes" + (f" of {wanted}" if wanted is not None else "")
            raise ConfigError(f"{field}: {part} is cut or damaged ({size}); {_AGAIN}")


def _whole_size(file: Path) -> int | None:
    """How long a file of weights must be by what it says of itself; None: it says nothing that makes sense."""
    size = file.stat().st_size
    if file.suffix != ".safetensors":
        with file.open("rb") as opened:
            is_zip = opened.read(2) == b"PK"
        return size if size and (not is_zip or zipfile.is_zipfile(file)) else None
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 2 <= length <= size - 8:
            return None
        try:
            header = json.loads(opened.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            return 8 + length + max(ends, default=0)
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            return None
