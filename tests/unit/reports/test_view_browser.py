"""`mars2 view` in a real browser while a run goes on: the page grows by itself, and the reader stays in place."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import BROWSER, Browser
from fake_run import credit, grow, log_step, make_problem, skill_at
from numpy.random import PCG64, Generator

from mars2.core.events import Finished, Note, Opened, Told
from mars2.core.tree import Tree
from mars2.store.run_store import RunStore

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")]

READER = """({
    top: Math.round(document.querySelector('.node-view').getBoundingClientRect().top),
    tree: document.querySelector('.tree-head b').textContent,
    node: document.querySelector('.node-head b').textContent,
    unfolded: document.querySelector('.node-view details').open,
    answer: document.querySelector('.node-view details pre').scrollTop,
    phase: document.querySelector('.filters select').value,
    tab: document.querySelector('.tabs [aria-pressed="true"]').textContent,
    minutes: document.querySelectorAll('.options input')[1].checked,
    theme: document.documentElement.dataset.theme,
    selection: getSelection().toString(),
})"""


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def url(run: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "mars2", "view", str(run), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        yield found.group()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as browser:
        yield browser
        assert browser.errors == []


def test_the_reader_keeps_their_place_while_the_run_goes_on(run: Path, url: str, browser: Browser) -> None:
    with RunStore.open(run) as store:
        store.hear(Note("resumed", {}))
        reading = store.trees("train")[20].tree
        browser.go(f"{url}#tree={quote(reading.tree_id)}&node=6")
        browser.wait("document.querySelector('.live').textContent.startsWith('live')")
        browser.ask("document.querySelectorAll('.tabs button')[1].click()")
        browser.ask("document.querySelectorAll('.options input')[1].click()")
        browser.ask("document.querySelector('.theme').click()")
        browser.ask("document.querySelectorAll('.node-view details').forEach((d) => { d.open = true; })")
        browser.ask("getSelection().selectAllChildren(document.querySelector('.node-view pre'))")
        browser.ask("document.querySelector('.tree-list').scrollTop = 700")
        browser.ask("document.querySelector('.node-view').scrollIntoView()")
        before = browser.ask(READER)
        assert (before["tree"], before["node"], before["tab"]) == (reading.problem_id, "Node 6", "Policies")
        assert before["selection"]
        first_in_list = (
            "[...document.querySelectorAll('.tree-list button')].find((b) => b.getBoundingClientRect().bottom"
            " > document.querySelector('.tree-list').getBoundingClientRect().top + 1).dataset.tree"
        )
        listed = browser.ask(first_in_list)
        for step in range(13, 16):
            trees: list[Tree] = []
            for i in range(4):
                problem = make_problem(4 * step + i)
                store.save_problem(problem)
                tree = grow(Tree(f"train/{step}/{problem.id}", problem.id), problem, skill_at(step), step)
                trees.append(tree)
                store.hear(Finished(tree, "train", step, credit(tree)))
            store.hear(Note("alarm", {"text": f"something at step {step}"}))
            log_step(store, step, Generator(PCG64(step)), trees)
        browser.wait("RUN.alarms.length === 4 && document.querySelectorAll('.alarms li').length === 4")
        assert browser.ask(READER) == before
        assert browser.ask(first_in_list) == listed
        assert browser.ask("document.querySelector('.facts').textContent.includes('15 of 60')")
        browser.ask("document.querySelector('.tree-list').scrollTop = 0")
        assert browser.ask(f"document.querySelector('[data-tree=\"{trees[-1].tree_id}\"]') !== null")


def test_a_tree_grows_before_the_eyes_and_can_be_followed(run: Path, url: str, browser: Browser) -> None:
    with RunStore.open(run) as store:
        store.hear(Note("resumed", {}))
        browser.go(url)
        browser.ask("document.querySelector('.follow input').click()")
        problem = make_problem(777)
        store.save_problem(problem)
        tree = grow(Tree(f"train/13/{problem.id}", problem.id), problem, skill_at(13), 13)
        store.hear(Opened(Tree(tree.tree_id, tree.problem_id), "train", 13))
        for node in tree:
            store.hear(Told(tree, node))
            browser.wait(f"document.querySelectorAll('.canvas .node').length === {node.id + 1}"
                         f" && document.querySelector('.tree-head').textContent.includes('{problem.id}')")  # fmt: skip
            assert browser.ask("document.querySelector('.node-head b').textContent") == f"Node {node.id}"
        assert "still growing" in browser.ask("document.querySelector('.tree-head').textContent")
        store.hear(Finished(tree, "train", 13, credit(tree)))
        browser.wait("!document.querySelector('.tree-head').textContent.includes('still growing')")


def test_an_empty_run_fills_and_the_end_is_seen(tmp_path: Path, browser: Browser, run: Path, url: str) -> None:
    empty = tmp_path / "empty"
    RunStore.create(empty, config={"name": "empty"}).close()
    run.rename(tmp_path / "aside")
    empty.rename(run)
    browser.go(url)
    assert "No tree has been grown yet." in browser.ask("document.body.textContent")
    run.rename(empty)
    browser.wait("document.querySelector('.live').textContent.includes('no run in')")
    (tmp_path / "aside").rename(run)
    browser.wait("document.querySelectorAll('.tree-list button').length > 0")
    assert browser.ask("document.querySelector('.state').textContent") == "finished"
    assert browser.ask("document.querySelector('.live').textContent").startswith("last written")
    browser.errors.clear()  # a browser logs each 503
