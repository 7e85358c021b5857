"""The page in a real browser, where there is one: it draws itself, follows its address, and runs nothing foreign."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest
from test_page import hostile_run

from mars2.reports import write_report
from mars2.store.run_store import RunStore

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=2000", "--dump-dom",
]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")]


def dom_of(folder: Path, profile: Path, **address: str | int) -> str:
    with RunStore.open(folder, read_only=True) as run:
        page = write_report(folder, run)
    url = page.as_uri() + ("#" + urlencode(address) if address else "")
    assert BROWSER
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={profile}", url], capture_output=True, text=True, timeout=90, check=True
    )
    return done.stdout.split("</script>")[-1]  # what the scripts built


def test_the_address_selects_a_node(finished_run: Path, tmp_path: Path) -> None:
    with RunStore.open(finished_run, read_only=True) as run:
        tree = run.trees("train")[5].tree
    dom = dom_of(finished_run, tmp_path, tree=tree.tree_id, node=6)
    assert "<b>Node 6</b>" in dom
    assert f"<b>{tree.problem_id}</b>" in dom
    assert "<dt>advantage</dt>" in dom
    assert dom.count("<figure") == 7  # one chart per number of the agents
    assert "+0." in dom  # a gain


def test_every_kind_of_run_draws_itself(tmp_path: Path) -> None:
    RunStore.create(tmp_path / "empty", config={}).close()
    dom = dom_of(tmp_path / "empty", tmp_path / "profile")
    for sentence in ("Not evaluated yet.", "Nothing was logged", "No tree has been grown yet."):
        assert sentence in dom


def test_hostile_text_is_shown_and_not_run(tmp_path: Path) -> None:
    dom = dom_of(hostile_run(tmp_path / "run"), tmp_path / "profile")
    assert "<b>Node 0</b>" in dom
    assert "&lt;/script&gt;&lt;script&gt;alert(" in dom
    assert "<img" not in dom
