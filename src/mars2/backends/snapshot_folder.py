"""A snapshot as a Hugging Face folder, which is what other processes read weights from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from mars2.core.errors import BackendError
from mars2.core.files import atomic
from mars2.core.protocols import Snapshot

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".index.json")


def snapshot_folder(snapshot: Snapshot, model: Path, scratch: Path) -> Path:
    """The snapshot's own folder, or one written under `scratch` with the configuration and tokenizer of `model`.

    Args:
        model: the folder that the policy started from.
    """
    if snapshot.folder is not None:
        return snapshot.folder
    if snapshot.state is None:
        raise BackendError(f"policy {snapshot.policy!r}: snapshot {snapshot.version} holds no weights")
    folder = scratch / f"{snapshot.policy}-{snapshot.version}"
    with atomic(folder, flush=False) as partial:
        partial.mkdir(parents=True)
        for file in model.iterdir():
            if file.is_file() and not file.name.endswith(_WEIGHTS):
                shutil.copy2(file, partial)
        save_file(_without_aliases(snapshot.state), partial / "model.safetensors", metadata={"format": "pt"})
    return folder


def _without_aliases(state: Any) -> dict[str, torch.Tensor]:
    """Contiguous CPU tensors; of names that share memory (tied embeddings) the first is kept."""
    seen: set[int] = set()
    tensors: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        if value.data_ptr() in seen:
            continue
        seen.add(value.data_ptr())
        tensors[name] = value.detach().to("cpu").contiguous()
    return tensors
