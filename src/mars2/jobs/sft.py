"""Fine-tunes a model on conversations; resumable after every checkpoint."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mars2 import build
from mars2.config.load import parse_as
from mars2.config.resume import changed_keys
from mars2.config.sft import SftConfig
from mars2.core.errors import ConfigError
from mars2.core.events import Listener, Metrics, Note, nobody
from mars2.core.files import write_json
from mars2.jobs.run_folder import set_aside
from mars2.jobs.running import blocking, job, off_the_loop

if TYPE_CHECKING:
    from mars2.learners.sft import SftTrainer

_CHECKPOINTS, _CONFIG, _BEFORE, _SUMMARY = "checkpoints", "sft_config.json", "before.json", "summary.json"
_DIGEST = "data_sha256"  # beside the options in _CONFIG
SCOPE = "sft"
"""Of the metrics that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuned(build.SftData):
    """A model that was fine-tuned; its folder is an ordinary Hugging Face model."""

    model: str  # the folder
    steps: int
    validation_loss_before: float | None  # nats a token; None: there was nothing to validate on
    validation_loss: float | None
    wall_s: float  # of the last start

    def to_dict(self) -> dict[str, Any]:
        """As `mars2 sft --json` prints it."""
        return asdict(self)


@job
async def sft_async(
    config: SftConfig, *, resume: bool = False, fresh: bool = False, on_event: Listener = nobody
) -> FineTuned:
    """Fine-tune a model. When cancelled, it ends the step under way and writes a checkpoint.

    Args:
        resume: go on with the interrupted fine-tuning in the output folder.
        fresh: set an older output folder aside and start anew.
        on_event: called with each `mars2.Event` as it happens.

    Raises:
        ConfigError: names the option, its value and the remedy.
    """
    build.check_sft(config)
    return _begin(config, resume, fresh, on_event) or await off_the_loop(partial(_run, config, resume), on_event)


sft = blocking(sft_async)


def _begin(config: SftConfig, resume: bool, fresh: bool, hear: Listener) -> FineTuned | None:
    """Make the output folder, or see that it can be gone on with; the result, if it is finished already."""
    folder, saved = config.out, config.out / _CONFIG
    digest = _digest(config)
    if resume:
        if not saved.is_file():
            raise ConfigError(f"out: {folder} holds no fine-tuning to resume; start it without resume")
        old = json.loads(saved.read_text(encoding="utf-8"))
        same_data = old.pop(_DIGEST, None) == digest
        changed = changed_keys(parse_as(SftConfig, old), config, "sft")
        if changed or not same_data:
            key = changed[0] if changed else "data"
            raise ConfigError(
                f"{key}: differs from what {folder} was started with; use the same settings and data, or start anew "
                "with fresh=True (--fresh)"
            )
        if not (folder / _SUMMARY).is_file():
            return None
        hear(Note("finished_already", {"folder": str(folder)}))
        return FineTuned(**json.loads((folder / _SUMMARY).read_text(encoding="utf-8")))
    if folder.exists() and any(path.name not in (_CONFIG, _BEFORE) for path in folder.iterdir()):
        if not fresh:
            raise ConfigError(
                f"out: {folder} exists; go on with it by resume=True (--resume), set it aside by fresh=True (--fresh), "
                "or give another folder"
            )
        hear(Note("set_aside", {"what": "folder", "folder": str(set_aside(folder))}))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(saved, config.as_dict() | {_DIGEST: digest})
    return None


def _digest(config: SftConfig) -> str:
    """Which data: a resumed run must see the same."""
    digest = hashlib.sha256()
    for path in (config.data, config.validation_data):
        if path is not None and path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(config: SftConfig, resume: bool, tell: Listener) -> FineTuned:
    started = time.monotonic()
    trainer, data = build.build_sft(config)
    tell(Note("sft_data", asdict(data)))
    checkpoint = _latest(config.out) if resume else None
    if checkpoint is None:
        before = trainer.validation_loss()
    else:
        trainer.restore(checkpoint)
        before = json.loads((config.out / _BEFORE).read_text(encoding="utf-8"))
    write_json(config.out / _BEFORE, before)
    tell(Note("sft_started", {"steps": trainer.num_steps, "num_done": trainer.steps_done, "before": before}))
    after = before
    with build.build_tensorboard(config.out) as board:

        def measured(values: dict[str, float]) -> None:
            metrics = Metrics(trainer.steps_done, SCOPE, values)
            board.hear(metrics)
            tell(metrics)

        try:
            if trainer.steps_done == 0 and before is not None:
                measured({"validation_loss": before})
            while trainer.steps_done < trainer.num_steps:
                metrics = dict(trainer.step())
                is_last = trainer.steps_done == trainer.num_steps
                if trainer.validation and (is_last or trainer.steps_done % config.evaluate_every == 0):
                    after = trainer.validation_loss()
                    assert after is not None
                    metrics["validation_loss"] = after
                if not is_last and trainer.steps_done % config.checkpoint_every == 0:
                    _save(trainer, config.out)
                measured(metrics)
        except asyncio.CancelledError:
            if 0 < trainer.steps_done < trainer.num_steps:
                _save(trainer, config.out)
            raise
        trainer.export(config.out)
    result = FineTuned(
        model=str(config.out),
        **asdict(data),
        steps=trainer.steps_done,
        validation_loss_before=before,
        validation_loss=after,
        wall_s=round(time.monotonic() - started, 1),
    )
    write_json(config.out / _SUMMARY, result.to_dict())
    shutil.rmtree(config.out / _CHECKPOINTS, ignore_errors=True)
    return result


def _save(trainer: SftTrainer, out: Path) -> None:
    """Write a checkpoint, then remove the one before: there is a whole one at every moment."""
    older = _latest(out)
    newer = out / _CHECKPOINTS / f"{trainer.steps_done:08d}"
    if older == newer:
        return
    trainer.save(newer)
    if older is not None:
        shutil.rmtree(older)


def _latest(out: Path) -> Path | None:
    found = [path for path in (out / _CHECKPOINTS).glob("*") if path.name.isdigit()]
    return max(found, default=None)
