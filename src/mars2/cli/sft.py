"""``mars2 sft``: supervised fine-tuning on conversations, the warm start before reinforcement learning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mars2.cli.output import ended_by_sigterm, print_json, run_async, say, stderr, stdout
from mars2.cli.parameters import JsonOption, SetOption
from mars2.cli.progress import progress_bar
from mars2.config.load import parse_as, read_yaml
from mars2.config.sft import SftConfig
from mars2.core.events import Event, Listener, Metrics, Note

HELP = """Teach a model from chat data (JSONL), before reinforcement learning or instead of it.

A line of the data is {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}. Only the
assistant's tokens are learned. The output folder is an ordinary Hugging Face model: name it as `model:` in a
configuration, or give it to `mars2 solve --agents`.

Examples:

    mars2 sft chats.jsonl --model Qwen/Qwen2.5-Coder-0.5B-Instruct --out models/warm --epochs 1

    mars2 sft sft_chats --set learning_rate=1e-5      (every key in a file, or a recipe)

    mars2 sft chats.jsonl --model MODEL --out models/warm --resume      (after Ctrl-C or a crash)
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(sft)


def sft(
    source: Annotated[Path, typer.Argument(help="Chat data (JSONL), a YAML configuration, or a recipe's name.")],
    model: Annotated[str | None, typer.Option(help="The model to start from: a folder or a Hugging Face id.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps, instead of epochs.")] = None,
    set_: SetOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted fine-tuning.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Set an older output folder aside and start anew.")] = False,
    as_json: JsonOption = False,
) -> None:
    from mars2.jobs.sft import sft_async

    given = {"model": model, "out": None if out is None else str(out), "epochs": epochs, "steps": steps}
    configured = source.suffix in (".yaml", ".yml") or not (source.suffix or source.exists())  # or a recipe
    data: dict[str, Any] = read_yaml(source) if configured else {"data": str(source)}
    config = parse_as(SftConfig, data | {k: v for k, v in given.items() if v is not None}, set_ or ())
    with _progress() as hear:
        result = run_async(
            ended_by_sigterm(sft_async(config, resume=resume, fresh=fresh, on_event=hear)),
            when_interrupted="interrupted; go on with the same command and --resume",
        )
    if as_json:
        print_json(result.to_dict())
        return
    if result.validation_loss is not None:
        stdout.print(f"validation loss {result.validation_loss_before:.4f} → {result.validation_loss:.4f} nats a token")
    stdout.print(f"{result.steps} steps, {result.wall_s:.0f} s")
    stdout.print(f"model: {result.model}", soft_wrap=True)


@contextmanager
def _progress() -> Iterator[Listener]:
    """A bar on a terminal; else a line every tenth of the way."""
    bar = progress_bar(stderr)
    task = bar.add_task("sft", total=None)
    total = 0

    def hear(event: Event) -> None:
        nonlocal total
        match event:
            case Note("set_aside", payload):
                say(f"older folder set aside: {payload['folder']}")
            case Note("finished_already", payload):
                say(f"{payload['folder']} is finished already")
            case Note("sft_data", data):
                if not data["has_template"]:
                    say("the model has no chat template; a simple one is used and saved with it")
                if data["num_too_long"]:
                    say(f"{data['num_too_long']} conversations are longer than max_length and are left out")
                say(f"{data['num_examples']} conversations to learn from, {data['num_validation']} to validate on")
            case Note("sft_started", payload):
                total = payload["steps"]
                bar.update(task, total=total, completed=payload["num_done"])
                if payload["num_done"]:
                    say(f"resumed after step {payload['num_done']}")
            case Metrics(step, _, values):
                shown = {"loss": "loss", "validation_loss": "validation", "tokens_per_s": "tokens/s"}
                text = "  ".join(f"{title} {values[name]:.4g}" for name, title in shown.items() if name in values)
                bar.update(task, completed=step, description=f"sft {text}")
                if bar.disable and (step % max(1, total // 10) == 0 or "validation_loss" in values):
                    say(f"step {step}/{total}  {text}")
            case _:
                pass

    with bar:
        yield hear
