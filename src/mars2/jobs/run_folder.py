"""The folder of a run: where it lies, how it is opened, resumed, set aside."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mars2 import __version__
from mars2.config.load import parse_config
from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError
from mars2.store.run_store import RunStore
from mars2.store.schema import RunNotBegun

RUNS = Path("runs")


def is_run(folder: Path) -> bool:
    return (folder / "run.sqlite").is_file()


def is_begun(folder: Path) -> bool:
    """Whether there is a run to go on with; a process killed while it made the run file leaves none."""
    if not is_run(folder):
        return False
    try:
        open_store(folder).close()
    except RunNotBegun:
        return False
    return True


def set_aside(folder: Path) -> Path:
    """Rename an old run to NAME.old-1, NAME.old-2, …: nothing is ever overwritten."""
    number = 1
    while (target := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    folder.rename(target)
    return target


def open_run(folder: Path, *, read_only: bool = True) -> tuple[RunStore, RunConfig]:
    """An existing run and the configuration it was started with.

    Raises:
        ConfigError: there is no run in `folder`.
    """
    store = open_store(folder, read_only=read_only)
    return store, parse_config(dict(store.config))


def open_store(folder: Path, *, read_only: bool = True) -> RunStore:
    """The store of an existing run, whatever configuration it has: also of one that this version would refuse.

    Raises:
        ConfigError: there is no run in `folder`.
    """
    if not is_run(folder):
        raise ConfigError(f"run: no run in {folder}; give the folder of a run, such as {RUNS}/quickstart")
    from mars2 import build  # the command line starts without it

    return build.open_store(folder, read_only=read_only)


def latest_checkpoint(folder: Path) -> Path:
    """The newest complete checkpoint of a run.

    Raises:
        ConfigError: the run has none.
    """
    from mars2.runs.training.checkpoints import Checkpoints

    checkpoint = Checkpoints(folder / "checkpoints", keep=1).latest()
    if checkpoint is None:
        raise ConfigError(f"run: {folder} has no checkpoint; train it first, or give a configuration file")
    return checkpoint


def commit() -> str:
    """The project's git commit, or its version where it is installed without git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
        return found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return f"version {__version__}"
