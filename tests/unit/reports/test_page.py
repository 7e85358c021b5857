"""The page works for every kind of run, asks nothing of a network, and no text of a model can break out of it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

from mars2.core.completion import Completion, Message
from mars2.core.events import Finished, Metrics, Note, Opened
from mars2.core.problem import Problem, StdioTest
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.reports import write_report
from mars2.reports.page import embeddable_json
from mars2.store.run_store import RunStore

HOSTILE_NAME = "</script><script>alert('owned')</script><!-- <img src=x onerror=alert(1)> \u2028 ]]> &amp;"
HOSTILE = HOSTILE_NAME + " \ud800"  # a lone surrogate, as models can emit
SHOWN = HOSTILE_NAME + " \ufffd"


class Page(HTMLParser):
    """What a browser would make of the page: tags with attributes, and the content of scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.raw:
            self.raw[self._open][-1] += data

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.raw["script"][0])


def page_of(folder: Path) -> Page:
    with RunStore.open(folder, read_only=True) as run:
        path = write_report(folder, run)
    assert path == folder / "report.html"
    return Page(path)


def hostile_run(folder: Path) -> Path:
    tree = Tree("solve/" + HOSTILE_NAME, "p")
    failed = TestResult(Status.WA, actual=HOSTILE, error_message=HOSTILE, traceback=HOSTILE, stderr=HOSTILE)
    tree.add(
        tree.expand(None, "agent" + HOSTILE_NAME),
        Result(
            prompt=(Message("user", HOSTILE),),
            completion=Completion(HOSTILE, "stop", "policy" + HOSTILE_NAME, 0),
            program=HOSTILE,
            program_reason=HOSTILE,
            public_verdict=Verdict(Status.WA, (failed,)),
            hidden_verdict=None,
            score=0.0,
        ),
    )
    with RunStore.create(
        folder, config={"name": HOSTILE, HOSTILE: HOSTILE, "agents": {HOSTILE: {"policy": HOSTILE}}}
    ) as store:
        store.save_problem(Problem("p", HOSTILE, (StdioTest(HOSTILE, HOSTILE),), (), starter_code=HOSTILE))
        store.hear(Finished(tree, "solve", 0, {0: {"advantage": math.nan, "shaped": math.inf}}))
        store.hear(Note("alarm", {"text": HOSTILE}))
        store.hear(Metrics(1, "agent/" + HOSTILE_NAME, {HOSTILE_NAME: 1.0}))
    return folder


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    page = page_of(hostile_run(tmp_path / "run"))
    assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script", "script"]
    node = page.data["trees"][0]["nodes"][0]
    assert node["program"] == node["program_reason"] == node["answer"] == node["prompt"][0][1] == SHOWN
    assert node["public"]["tests"][0]["actual"] == SHOWN
    assert page.data["problems"]["p"]["public"][0]["input"] == SHOWN
    assert page.data["alarms"][0]["text"] == SHOWN
    assert node["credit"] == {"advantage": None, "shaped": None}  # JavaScript's JSON has no NaN


def test_embedded_json_is_ascii_without_an_opening_bracket() -> None:
    embedded = embeddable_json({"x": HOSTILE, HOSTILE: [math.inf, -math.inf, math.nan, 1.5]})
    assert embedded.isascii()
    assert "<" not in embedded
    assert json.loads(embedded) == {"x": SHOWN, SHOWN: [None, None, None, 1.5]}


def test_only_this_packages_script_and_style_may_run(finished_run: Path) -> None:
    page = page_of(finished_run)
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a) or ""
    for text in (page.raw["style"][0], page.raw["script"][1]):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_the_page_refers_to_nothing_outside_it(finished_run: Path) -> None:
    page = page_of(finished_run)
    assert not [a for _, a in page.tags if {"src", "href", "data", "srcset"} & a.keys()]
    urls = re.findall(r"\w+://[^'\"\s]+", page.raw["script"][1] + page.raw["style"][0])
    assert urls == ["http://www.w3.org/2000/svg"]  # the name of SVG, not an address that is visited
    assert "@import" not in page.raw["style"][0]
    assert "url(" not in page.raw["style"][0]


def test_scripts_never_turn_text_into_markup() -> None:
    assets = resources.files("mars2.reports") / "assets"
    scripts = "".join(a.read_text(encoding="utf-8") for a in assets.iterdir() if a.name.endswith(".js"))
    for maker in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
    ):
        assert maker not in scripts


def test_a_finished_run_shows_all_its_parts(finished_run: Path) -> None:
    data = page_of(finished_run).data
    facts = dict(data["facts"])
    assert (data["name"], data["state"]) == ("quickstart", "finished")
    assert (facts["seed"], facts["commit"], facts["steps"]) == ("7", "0123456789ab", "12")
    assert (data["agents"], data["agent_of_policy"]) == (["alpha", "beta"], {"alpha-gqa": "alpha", "beta-moe": "beta"})
    assert [group["kind"] for group in data["curves"]] == ["agent", "policy", "run"]
    assert [row["who"] for row in data["evaluation"]["rows"]] == ["alpha", "beta", "", ""]
    assert data["tree_counts"] == {"evaluate/before/team": 12, "train": 48, "evaluate/after/team": 12}
    assert len(data["trees"]) == 72
    trained = next(tree for tree in data["trees"] if tree["phase"] == "train")
    assert trained["nodes"][0]["credit"].keys() == {"shaped", "advantage"}
    assert ["rollout.max_nodes", "8"] in data["config"]


def test_facts_of_the_summary_are_shown(finished_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished_run, folder)
    summary = {"wall_s": 312.4, "peak_mib": 2345.6, "tree_hash": "ab" * 32, "commit": "f" * 40}
    (folder / "summary.json").write_text(json.dumps(summary))
    facts = dict(page_of(folder).data["facts"])
    assert facts["wall time"] == "5 min 12 s"
    assert facts["peak memory"] == "2,346 MiB"
    assert (facts["tree hash"], facts["commit"]) == ("ab" * 8, "f" * 12)


def test_an_unreadable_summary_is_no_obstacle(tmp_path: Path) -> None:
    RunStore.create(tmp_path, config={}).close()
    (tmp_path / "summary.json").write_text('{"agents": ')
    assert page_of(tmp_path).data["state"] == "in progress"


def test_an_empty_run_has_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    RunStore.create(folder, config={}).close()
    data = page_of(folder).data
    assert data["name"] == "fresh"
    assert (data["evaluation"], data["curves"], data["trees"], data["agents"]) == (None, [], [], [])


def test_a_growing_run_has_a_page(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={"name": "live"}) as store:
        store.hear(Note("run_started", {}))
        store.hear(Opened(Tree("t0", "unknown problem"), "train", 1))
        write_report(tmp_path, store)  # from the writer itself
        data = Page(tmp_path / "report.html").data
    assert data["trees"][0] | {"nodes": []} == {
        "id": "t0", "problem": "unknown problem", "phase": "train", "step": 1, "finished": False, "cancelled": 0,
        "solved": False, "nodes": [],
    }  # fmt: skip
    assert data["problems"] == {}


def test_writing_again_replaces_the_page(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, config={}) as store:
        write_report(tmp_path, store)
        store.hear(Note("run_finished", {}))
        write_report(tmp_path, store)
    assert Page(tmp_path / "report.html").data["state"] == "finished"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "run.lock", "run.sqlite"]
