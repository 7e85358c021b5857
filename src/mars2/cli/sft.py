"""``mars2 sft``: supervised fine-tuning on conversations, the warm start before reinforcement learning."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mars2.cli.output import print_json, say, stderr, stdout
from mars2.config.load import parse_as, read_yaml
from mars2.config.resume import changed_keys
from mars2.config.sft import SftConfig
from mars2.core.errors import ConfigError
from mars2.core.files import write_json
from mars2.core.optional import need
from mars2.jobs.run_folder import set_aside

if TYPE_CHECKING:
    from mars2.learners.conversations import Conversation, Example
    from mars2.learners.policy_model import PolicyModel
    from mars2.learners.sft import SftTrainer

HELP = """Teach a model from chat data (JSONL), before reinforcement learning or instead of it.

A line of the data is {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}. Only the
assistant's tokens are learned. The output folder is an ordinary Hugging Face model: name it as `model:` in a
configuration, or give it to `mars2 solve --agents`.

Examples:

    mars2 sft chats.jsonl --model Qwen/Qwen2.5-Coder-0.5B-Instruct --out models/warm --epochs 1

    mars2 sft sft_chats --set learning_rate=1e-5      (every key in a file, or a recipe)

    mars2 sft chats.jsonl --model MODEL --out models/warm --resume      (after Ctrl-C or a crash)
"""
CHECKPOINTS, CONFIG, BEFORE = "checkpoints", "sft_config.json", "before.json"
DIGEST = "data_sha256"  # beside the options in CONFIG


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(sft)


def sft(
    source: Annotated[Path, typer.Argument(help="Chat data (JSONL), a YAML configuration, or a recipe's name.")],
    model: Annotated[str | None, typer.Option(help="The model to start from: a folder or a Hugging Face id.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps, instead of epochs.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example batch_size=8.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted fine-tuning.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Set an older output folder aside and start anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    from mars2.build import need_torch

    given = {"model": model, "out": None if out is None else str(out), "epochs": epochs, "steps": steps}
    configured = source.suffix in (".yaml", ".yml") or not (source.suffix or source.exists())  # or a recipe
    data: dict[str, Any] = read_yaml(source) if configured else {"data": str(source)}
    config = parse_as(SftConfig, data | {k: v for k, v in given.items() if v is not None}, set_ or ())
    need_torch("sft")
    need("tensorboard", "train", "sft")
    _check_model(config.model)
    summary = _prepare_folder(config, resume=resume, fresh=fresh) or _run(config, resume=resume)
    if as_json:
        print_json(summary)
        return
    before, after = summary["validation_loss_before"], summary["validation_loss"]
    if after is not None:
        stdout.print(f"validation loss {before:.4f} → {after:.4f} nats a token")
    stdout.print(f"{summary['steps']} steps, {summary['wall_s']:.0f} s")
    stdout.print(f"model: {config.out}", soft_wrap=True)


def _check_model(model: str) -> None:
    from mars2.build.models import check_model

    check_model("model", model)


def _prepare_folder(config: SftConfig, *, resume: bool, fresh: bool) -> dict[str, Any] | None:
    """Make the output folder, or see that it can be gone on with; the summary, if it is finished already."""
    folder, saved = config.out, config.out / CONFIG
    digest = _digest(config)
    if resume:
        if not saved.is_file():
            raise ConfigError(f"out: {folder} holds no fine-tuning to resume; leave out --resume")
        old = json.loads(saved.read_text(encoding="utf-8"))
        same_data = old.pop(DIGEST, None) == digest
        changed = changed_keys(parse_as(SftConfig, old), config, "sft")
        if changed or not same_data:
            key = changed[0] if changed else "data"
            raise ConfigError(
                f"{key}: differs from what {folder} was started with; use the same settings and data, or --fresh"
            )
        finished = folder / "summary.json"
        if finished.is_file():
            say(f"{folder} is finished already")
            return json.loads(finished.read_text(encoding="utf-8"))
        return None
    if folder.exists() and any(path.name not in (CONFIG, BEFORE) for path in folder.iterdir()):
        if not fresh:
            raise ConfigError(
                f"out: {folder} exists; use --resume to go on with it, --fresh to set it aside, or another --out"
            )
        say(f"older folder set aside: {set_aside(folder)}")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(saved, config.as_dict() | {DIGEST: digest})
    return None


def _digest(config: SftConfig) -> str:
    """Which data: a resumed run must see the same."""
    digest = hashlib.sha256()
    for path in (config.data, config.validation_data):
        if path is not None and path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(config: SftConfig, *, resume: bool) -> dict[str, Any]:
    from mars2.core.events import Metrics
    from mars2.store.tensorboard import TensorBoardListener

    started = time.monotonic()
    trainer, facts = _build(config)
    checkpoint = _latest(config.out) if resume else None
    before: float | None = None
    if checkpoint is not None:
        trainer.restore(checkpoint)
        before = json.loads((config.out / BEFORE).read_text(encoding="utf-8"))
        say(f"resumed after step {trainer.steps_done}")
    elif (before := trainer.validation_loss()) is not None:
        say(f"validation loss before: {before:.4f}")
    write_json(config.out / BEFORE, before)
    after = before
    with TensorBoardListener(config.out / "tensorboard") as board, _progress(trainer) as show, _stop_signals() as stop:
        if trainer.steps_done == 0 and before is not None:
            board.hear(Metrics(0, "sft", {"validation_loss": before}))
        while trainer.steps_done < trainer.num_steps:
            metrics = trainer.step()
            is_last = trainer.steps_done == trainer.num_steps
            if trainer.validation and (is_last or trainer.steps_done % config.evaluate_every == 0):
                after = trainer.validation_loss()
                assert after is not None
                metrics["validation_loss"] = after
            board.hear(Metrics(trainer.steps_done, "sft", metrics))
            show(metrics)
            if not is_last and (stop() or trainer.steps_done % config.checkpoint_every == 0):
                _save(trainer, config.out)
            if stop() and not is_last:
                say(f"interrupted after step {trainer.steps_done}; go on with the same command and --resume")
                sys.exit(130)
        trainer.export(config.out)
    summary = {
        **facts,
        "model": str(config.out),
        "steps": trainer.steps_done,
        "validation_loss_before": before,
        "validation_loss": after,
        "wall_s": round(time.monotonic() - started, 1),
    }
    write_json(config.out / "summary.json", summary)
    shutil.rmtree(config.out / CHECKPOINTS, ignore_errors=True)
    return summary


def _save(trainer: SftTrainer, out: Path) -> None:
    """Write a checkpoint, then remove the one before: there is a whole one at every moment."""
    older = _latest(out)
    newer = out / CHECKPOINTS / f"{trainer.steps_done:08d}"
    trainer.save(newer)
    if older is not None and older != newer:
        shutil.rmtree(older)


def _latest(out: Path) -> Path | None:
    found = [path for path in (out / CHECKPOINTS).glob("*") if path.name.isdigit()]
    return max(found, default=None)


def _build(config: SftConfig) -> tuple[SftTrainer, dict[str, Any]]:
    """The trainer, and what to say of the data."""
    from mars2.learners.conversations import ensure_template, read_conversations

    conversations = read_conversations(config.data)  # the data's mistakes are told before a model is loaded
    held_out = None if config.validation_data is None else read_conversations(config.validation_data)

    import torch
    from transformers.utils import logging

    from mars2.build.models import torch_device
    from mars2.core.seeds import derive_seed, stream
    from mars2.learners.policy_model import PolicyModel
    from mars2.learners.sft import SftTrainer

    logging.disable_progress_bar()
    if config.threads:
        torch.set_num_threads(config.threads)
    model = PolicyModel(
        config.model,
        device=torch.device(torch_device(config.device)),
        dtype=config.dtype,
        gradient_checkpointing=config.gradient_checkpointing,
        keep_reference=False,
        lora=config.lora,
        seed=derive_seed(config.seed, "sft", "lora"),
    )
    if ensure_template(model.tokenizer):
        say("the model has no chat template; a simple one is used and saved with it")
    if held_out is None:
        order = stream(config.seed, "sft", "split").permutation(len(conversations)).tolist()
        num_held_out = min(round(config.validation_fraction * len(conversations)), len(conversations) - 1)
        held_out = [conversations[i] for i in sorted(order[:num_held_out])]
        conversations = [conversations[i] for i in sorted(order[num_held_out:])]
    examples, num_too_long = _encode(config.data, conversations, model, config.max_length)
    validation, _ = _encode(config.validation_data or config.data, held_out, model, config.max_length)
    if not examples:
        raise ConfigError(f"max_length: all conversations are longer than {config.max_length} tokens; raise it")
    if num_too_long:
        say(f"{num_too_long} conversations are longer than max_length and are left out")
    num_steps = config.steps or config.epochs * -(-len(examples) // config.batch_size)
    trainer = SftTrainer(model, examples, validation, config, num_steps=num_steps)
    say(f"{len(examples)} conversations to learn from, {len(validation)} to validate on, {num_steps} steps")
    return trainer, {
        "num_examples": len(examples),
        "num_validation": len(validation),
        "num_too_long": num_too_long,
        "num_trained_tokens": sum(sum(e.is_trained) for e in examples),
    }


def _encode(
    path: Path, conversations: Sequence[tuple[int, Conversation]], model: PolicyModel, max_length: int
) -> tuple[list[Example], int]:
    """Conversations in tokens, and how many were too long."""
    from mars2.learners.conversations import encode

    longest = min(max_length, model.max_length or max_length)
    examples: list[Example] = []
    for number, conversation in conversations:
        try:
            example = encode(model.tokenizer, conversation, model.stop_ids)
        except ValueError as error:
            raise ConfigError(f"data: {path} line {number}: {error}") from error
        if len(example.ids) <= longest:
            examples.append(example)
    return examples, len(conversations) - len(examples)


@contextmanager
def _progress(trainer: SftTrainer) -> Iterator[Callable[[dict[str, float]], None]]:
    """A bar on a terminal; else a line every tenth of the way."""
    bar = Progress(
        TextColumn("sft {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
    )
    task = bar.add_task("", total=trainer.num_steps, completed=trainer.steps_done)
    every = max(1, trainer.num_steps // 10)

    def show(metrics: dict[str, float]) -> None:
        shown = {"loss": "loss", "validation_loss": "validation", "tokens_per_s": "tokens/s"}
        text = "  ".join(f"{title} {metrics[name]:.4g}" for name, title in shown.items() if name in metrics)
        bar.update(task, completed=trainer.steps_done, description=text)
        if bar.disable and (trainer.steps_done % every == 0 or "validation_loss" in metrics):
            say(f"step {trainer.steps_done}/{trainer.num_steps}  {text}")

    with bar:
        yield show


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM let the step under way end first; a second one ends the program at once."""
    is_asked = False

    def ask(number: int, _: Any) -> None:
        nonlocal is_asked
        is_asked = True
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: is_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
