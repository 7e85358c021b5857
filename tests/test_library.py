"""`import mars2`: light, lazy, with every name documented; the examples of docs/api.md run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mars2

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CLOSE = """```python
def has_close_elements(numbers, threshold):
    ordered = sorted(numbers)
    return any(b - a < threshold for a, b in zip(ordered, ordered[1:]))
```"""
SUM = "```python\nprint(sum(map(int, input().split())))\n```"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    rules = [{"match": "print their sum", "answers": [SUM]}, {"match": "", "answers": [CLOSE]}]
    (tmp_path / "script.yaml").write_text(yaml.safe_dump({"rules": rules}))
    return tmp_path


def run(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=110, check=False, env=os.environ
    )


def test_importing_the_library_loads_no_torch_and_takes_no_time(tmp_path: Path) -> None:
    code = (
        "import sys, time; before = set(sys.modules); started = time.perf_counter(); import mars2; "
        "took = time.perf_counter() - started; mars2.solve, mars2.judge, mars2.evaluate, mars2.train; "
        "print(took, [name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    seconds, _, loaded = run(code, tmp_path).stdout.partition(" ")
    assert float(seconds) <= 0.3
    assert loaded.strip() == "[]"


def test_every_public_name_is_there_and_on_the_page() -> None:
    names = [name for name in mars2.__all__ if name != "__version__"]
    assert set(mars2.__all__) <= set(dir(mars2))
    assert [name for name in names if not hasattr(mars2, name)] == []
    assert [name for name in names if not re.search(rf"`(mars2\.)?{name}`", PAGE)] == []
    assert set(mars2._HOME_OF) == set(names)  # pyright: ignore[reportPrivateUsage]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'slove'"):
        mars2.slove  # noqa: B018  # pyright: ignore


@pytest.mark.parametrize("name", ["solve", "evaluate", "train", "judge", "load_problems"])
def test_both_forms_of_a_function_have_the_same_arguments(name: str) -> None:
    import inspect

    blocking, waiting = getattr(mars2, name), getattr(mars2, f"{name}_async")
    assert inspect.signature(blocking) == inspect.signature(waiting)
    assert blocking.__name__ == name
    assert blocking.__doc__


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_of_the_page_runs(code: str, here: Path) -> None:
    done = run(code, here)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_one_liner_prints_a_program_and_nothing_else(here: Path) -> None:
    one = "import mars2; print(mars2.solve('humaneval:0', agents=['scripted:script.yaml'], budget=4).program)"
    done = run(one, here)
    assert done.stderr == ""
    assert "def has_close_elements" in done.stdout
    indented = "    " + one.removeprefix("import mars2; ")
    inside = run(f"import asyncio, mars2\nasync def main():\n{indented}\nasyncio.run(main())", here)
    assert (inside.stdout, inside.stderr) == (done.stdout, "")
    assert sorted(os.listdir(here)) == ["script.yaml"]
