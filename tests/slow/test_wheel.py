"""The wheel in a fresh environment: alone it is small, has no torch and asks a server; with `train` it trains."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from openai_server import answer, openai_server

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "tensorboard", "tokenizers", "vllm", "peft")
MOST_MIB = 150  # of the light core, pip aside
MOST_IMPORT_S = 0.3
PROBLEM = """---
entry_point: f
---
Add one.

```tests
public:
  - {args: [1], expected: 2}
hidden:
  - {args: [5], expected: 6}
```
"""
PROGRAM = "def f(x):\n    return x + 1\n"
REPLY = f"```python\n{PROGRAM}```"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment of its own; nothing of the one that runs the tests is seen in it."""

    folder: Path

    @staticmethod
    def make(folder: Path, wanted: str) -> Environment:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, env=clean())
        made = Environment(folder)
        started = time.monotonic()
        pip = ("-m", "pip", "install", "--quiet", "--no-compile", "--constraint", str(ROOT / "constraints.txt"))
        made.python(*pip, wanted)
        print(f"\n{Path(wanted).name}: installed in {time.monotonic() - started:.0f} s, {made.mib():.0f} MiB")
        return made

    def mib(self) -> float:
        """Size of the installed packages, pip and setuptools aside."""
        own = re.compile(r"pip|setuptools|pkg_resources|_distutils_hack")
        packages = next(self.folder.glob("lib/python*/site-packages"))
        files = (f for entry in packages.iterdir() if not own.match(entry.name) for f in (entry, *entry.rglob("*")))
        return sum(file.stat().st_size for file in files if file.is_file()) / 2**20

    def python(self, *arguments: str, cwd: Path | None = None) -> str:
        return self.run(str(self.folder / "bin" / "python"), *arguments, cwd=cwd)

    def mars2(self, *arguments: str, cwd: Path) -> str:
        return self.run(str(self.folder / "bin" / "mars2"), *arguments, cwd=cwd)

    def run(self, *command: str, cwd: Path | None) -> str:
        done = subprocess.run(command, cwd=cwd, env=clean(), capture_output=True, text=True, timeout=800, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment.make(tmp_path_factory.mktemp("light") / "venv", str(wheel))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "problem.md").write_text(PROBLEM)
    (tmp_path / "solution.py").write_text(PROGRAM)
    return tmp_path


def test_the_core_is_small_and_brings_no_torch(light: Environment) -> None:
    code = f"from importlib.util import find_spec; print([n for n in {HEAVY} if find_spec(n)])"
    assert light.python("-c", code).strip() == "[]"
    assert light.mib() < MOST_MIB


def test_importing_the_library_takes_no_time(light: Environment) -> None:
    code = "import time; t = time.perf_counter(); import mars2; print(time.perf_counter() - t)"
    light.python("-c", code)  # writes the compiled files
    seconds = min(float(light.python("-c", code)) for _ in range(3))
    print(f"\nimport mars2: {seconds:.3f} s")
    assert seconds <= MOST_IMPORT_S


def test_judging_needs_nothing_else(light: Environment, here: Path) -> None:
    assert json.loads(light.mars2("judge", "solution.py", "problem.md", "--json", cwd=here))["verdict"] == "AC"


def test_solving_asks_a_server(light: Environment, here: Path) -> None:
    with openai_server() as server:
        server.replies = [(200, {}, answer({"model": "m"}, content=REPLY))]
        agents = f"openai:m@{server.url}"
        solved = json.loads(light.mars2("solve", "problem.md", "--agents", agents, "--budget=1", "--json", cwd=here))
    assert solved["program"].strip() == PROGRAM.strip()
    assert len(server.requests) == 1


def test_serving_asks_a_server(light: Environment, here: Path) -> None:
    with openai_server() as server:
        server.replies = [(200, {}, answer({"model": "m"}, content="```python\nprint(3)\n```"))]
        command = [light.folder / "bin" / "mars2", "serve", "--agents", f"openai:m@{server.url}", "--port=0"]
        serving = subprocess.Popen(command, cwd=here, env=clean(), stderr=subprocess.PIPE, text=True)
        try:
            assert serving.stderr is not None
            found = re.search(r"http://\S+/v1", serving.stderr.readline())
            assert found, serving.stderr.read()
            asked = {
                "model": "mars2",
                "messages": [{"role": "user", "content": "Print three."}],
                "mars2": {"tests": [{"input": "", "output": "3"}], "budget": 1},
            }
            request = urllib.request.Request(
                f"{found[0]}/chat/completions", json.dumps(asked).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                text = json.load(response)["choices"][0]["message"]["content"]
        finally:
            serving.terminate()
            serving.wait(20)
            serving.stderr.close()
    assert "print(3)" in text


def test_a_recipe_is_found_and_what_it_lacks_is_named(light: Environment, tmp_path: Path) -> None:
    assert "quickstart" in light.mars2("recipes", cwd=tmp_path)
    command = [light.folder / "bin" / "mars2", "train", "quickstart"]
    done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "mars2: error: policies.alpha.backend transformers: torch is not installed; pip install 'mars2[train]'\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_with_train_the_quickstart_runs_in_an_empty_folder(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    full = Environment.make(tmp_path_factory.mktemp("full") / "venv", f"{wheel}[train]")
    full.mars2("train", "quickstart", "--set=training.steps=1", "--set=evaluation.num_problems=8", cwd=tmp_path)
    run = tmp_path / "runs" / "quickstart"
    assert set(json.loads((run / "summary.json").read_text())["team"]) >= {"before", "after"}
    assert (run / "report.html").read_text().endswith("</html>\n")
