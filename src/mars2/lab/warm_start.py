"""Warm-started policies from the cache; missing ones are trained now, each in its own interpreter, side by side."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from mars2.core.errors import ConfigError, Mars2Error
from mars2.core.files import atomic
from mars2.lab.policies import POLICIES

DEFAULT_CACHE = Path("~/.cache/mars2/lab")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
_SOURCES = ("ops", "specs", "examples", "tasks", "prompting", "corpus", "tokenizer", "policies", "imitation")

Progress = Callable[[str, float], None]
"""Called with a policy's name and the share of its warm start that is done, in [0, 1]; from several threads."""


class WarmStartError(Mars2Error):
    """Training a tiny policy failed."""


def ensure_policies(
    names: Sequence[str], *, seed: int, cache: Path | None = None, progress: Progress | None = None
) -> dict[str, Path]:
    """Hugging Face folders of the named policies. Blocking; about 45 s on two cores where none is cached.

    Raises:
        ConfigError: a name is not in `POLICIES`.
        WarmStartError: a training process failed.
    """
    for name in names:
        if name not in POLICIES:
            raise ConfigError(f"lab policy must be one of {', '.join(POLICIES)}, got {name}")
    root = (cache or DEFAULT_CACHE).expanduser()
    folders = {name: root / f"{name}-{cache_key(name, seed)}" for name in names}
    missing = [name for name, folder in folders.items() if not folder.exists()]
    if missing:
        with ThreadPoolExecutor(len(missing)) as pool:
            list(pool.map(lambda name: _train_apart(name, seed, folders[name], progress), missing))
    return folders


def cache_key(name: str, seed: int) -> str:
    """A hash of everything that decides the weights: policy, seed, the code that runs, torch, transformers."""
    digest = hashlib.sha256(f"{asdict(POLICIES[name])} {seed} {version('torch')} {version('transformers')}".encode())
    for module in _SOURCES:
        digest.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def _train_apart(name: str, seed: int, folder: Path, progress: Progress | None) -> None:
    """Run this module as a program to make `folder`; another process may be making the same one."""
    with atomic(folder, is_shared=True) as partial:
        partial.mkdir(parents=True)
        _run(name, seed, partial, progress)


def _run(name: str, seed: int, folder: Path, progress: Progress | None) -> None:
    command = [sys.executable, "-m", "mars2.lab.warm_start", name, str(seed), str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **_ONE_THREAD}
    )
    said: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            kind, _, value = line.partition(" ")
            if kind != "done":
                said.append(line)
            elif progress is not None:
                progress(name, float(value))
        if process.wait() != 0:
            raise WarmStartError(f"warm start of {name} failed:\n{''.join(said[-20:])}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def main() -> None:
    """`python -m mars2.lab.warm_start NAME SEED FOLDER`: train one policy, saying "done 0.5" and so on."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", choices=list(POLICIES))
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    from mars2.lab.imitation import imitate

    imitate(
        POLICIES[arguments.name],
        arguments.seed,
        arguments.folder,
        lambda share: print(f"done {share:.4f}", flush=True),
    )


if __name__ == "__main__":
    main()
