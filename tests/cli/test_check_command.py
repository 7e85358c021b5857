"""`mars2 check` judges as `mars2 solve` does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

PROBLEM = """---
id: sum
comparison: tokens
---
Read two numbers, print their sum, then the word end.

```tests
public:
  - {input: "1 2", output: "3 end"}
```
"""
CONFIG = {
    "name": "tokens",
    "problems": {"kind": "reference", "test": "problem.md"},
    "policies": {"a": {"backend": "scripted", "script": "script.yaml"}},
    "agents": {"a": {"policy": "a"}},
    "rollout": {"max_nodes": 1, "lockstep": False},
}
PROGRAM = "```python\nprint(sum(map(int, input().split())))\nprint('end')\n```"


def test_a_problem_that_ignores_white_space_is_judged_so_by_check_and_by_solve(tmp_path: Path) -> None:
    (tmp_path / "problem.md").write_text(PROBLEM)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "script.yaml").write_text(yaml.safe_dump({"rules": [{"answers": [PROGRAM]}]}))

    def mars2(*arguments: str) -> dict[str, object]:
        command = [sys.executable, "-m", "mars2", *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=110, check=True, env=os.environ)
        return json.loads(done.stdout)

    solved = mars2("solve", "problem.md", "--config", "config.yaml", "--budget", "1")
    checked = mars2("check", "config.yaml")
    assert solved["public"]["verdict"] == "AC"  # type: ignore[index]
    assert checked["agents"]["a"]["verdict"] == "AC"  # type: ignore[index]
