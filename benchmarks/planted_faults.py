"""Plants small faults in the code, one at a time, and asks the tests: a fault that no test notices is a hole in them.

    python benchmarks/planted_faults.py                      # 240 faults, over all rooms
    python benchmarks/planted_faults.py --only losses        # one room
    python benchmarks/planted_faults.py --faults 1a2b3c4d    # some faults again, by their ids
    python benchmarks/planted_faults.py --table              # the tables of what was found before

Each fault is tried against the tests of its own room, the quickest first. Those that survive are then planted all at
once, the whole ordinary suite is run, and each is tried alone against every test that failed. Results are lines of JSON
in --out; --resume leaves out what is there already. Survivors that no test could notice are listed, each with its
reason, in `planted_faults.md`. The exit code is 1 where fewer than 90 percent are caught, or a survivor has no reason.

Works on a copy of the repository, so files may be edited meanwhile.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import contextlib
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_operators import Fault, changes_something, faults_of

ROOT = Path(__file__).parents[1]
EXPLAINED = Path(__file__).with_suffix(".md")
PRELOADED = (
    *("pytest", "hypothesis", "pytest_asyncio", "numpy", "pydantic", "yaml", "torch", "transformers", "typer"),
    *("transformers.models.llama.modeling_llama", "tokenizers", "rich.console", "sqlite3", "openai"),
)
SLOW_S = 3.0  # tests of a room that take longer wait for the run of the whole suite
LONG_AGO = 1_000_000_000  # when every file of the copy says it was changed, so that a planted fault is always newer


@dataclass(frozen=True, slots=True)
class Room:
    """Files that belong together, and the tests that are theirs."""

    files: tuple[str, ...]  # globs under src/mars2
    tests: tuple[str, ...]  # globs under tests


ROOMS = {
    "credit": Room(("credit/*.py",), ("unit/credit/test_*.py", "contracts/test_advantage_contract.py")),
    "losses": Room(
        ("learners/losses.py", "learners/losses/*.py", "learners/policy_loss.py"),
        ("unit/learners/test_*loss*.py", "unit/learners/test_cispo.py", "contracts/test_loss*.py"),
    ),
    "search": Room(("search/*.py",), ("unit/search/test_*.py", "contracts/test_search_contract.py")),
    "growing": Room(
        ("runs/growing/*.py", "runs/choose.py"),
        (
            "unit/runs/test_gr*.py",
            *(f"unit/runs/test_{n}.py" for n in ("judging", "lockstep", "budget_and_stopping", "choose", "attempt")),
            "unit/runs/growing/test_*.py",
        ),
    ),
    "training": Room(
        ("runs/training/*.py",),
        ("unit/runs/test_train*.py", "unit/runs/test_buffer.py", "unit/runs/test_alarms.py", "unit/runs/training/*.py"),
    ),
    "comparison": Room(
        ("sandbox/worker/comparison.py", "sandbox/worker/*/comparison.py"),
        ("unit/sandbox/test_sandbox_comparison.py", "unit/sandbox/test_sandbox_encoding.py"),
    ),
}


@dataclass(frozen=True, slots=True)
class Named:
    """A fault that once survived, planted in every run."""

    name: str
    room: str
    pattern: str  # regular expression
    replacement: str


NAMED = (
    Named(
        "hidden tests are judged without the problem's comparison",
        "growing",
        r"(self\.sandbox\.judge\(\s*program, )problem\.hidden,",
        r'\1replace(problem, comparison="exact").hidden,',
    ),
    Named(
        "public tests stop at the first failure",
        "growing",
        r"(program, problem\.public, stop_at_first_failure=)False",
        r"\1True",
    ),
    Named("waves are released in reverse order", "growing", r"(for member in sorted\(waiting\))", r"\1[::-1]"),
    Named(
        "slots share their jobs in lockstep",
        "growing",
        r"iter\(items\[index::num_slots\]\) if gate else shared",
        "shared",
    ),
    Named(
        "versions are not compared after a sync",
        "training",
        r"if self\.backends\[name\]\.version != snapshot\.version",
        "if False",
    ),
)


# ── which faults ────────────────────────────────────────────────────────────────────────────────────────────────────


def files_of(room: Room, root: Path) -> list[Path]:
    return sorted({path for glob in room.files for path in (root / "src/mars2").glob(glob)})


def tests_of(globs: Sequence[str], root: Path) -> list[str]:
    found = {path for glob in globs for path in (root / "tests").glob(glob) if path.name.startswith("test_")}
    return sorted(str(path.relative_to(root)) for path in found)


def choose_faults(root: Path, count: int, seed: int, wanted_ids: Collection[str] = ()) -> dict[str, list[Fault]]:
    """`count` faults: half in equal parts, half by how many can be planted in a room; few of them on one line.

    Or, of all that can be planted, those with these ids.
    """
    sources = {path: path.read_bytes() for room in ROOMS.values() for path in files_of(room, root)}
    possible = {
        name: [f for path in files_of(room, root) for f in faults_of(str(path.relative_to(root)), sources[path])]
        for name, room in ROOMS.items()
    }
    if wanted_ids:
        possible = {name: [*named_faults(name, root, sources), *faults] for name, faults in possible.items()}
        return {name: [f for f in faults if f.id in wanted_ids] for name, faults in possible.items()}
    total = sum(map(len, possible.values()))
    chosen: dict[str, list[Fault]] = {}
    for name, faults in possible.items():
        wanted = round(count / 2 / len(ROOMS) + count / 2 * len(faults) / total)
        faults = sorted(faults, key=lambda f: hashlib.sha256(f"{seed} {f.id}".encode()).digest())
        lines: dict[tuple[str, int], int] = {}
        turns: list[tuple[int, int]] = []
        for place, fault in enumerate(faults):
            turn = lines[fault.path, fault.line] = lines.get((fault.path, fault.line), -1) + 1
            turns.append((turn, place))
        valid = (faults[p] for _, p in sorted(turns) if changes_something(faults[p], sources[root / faults[p].path]))
        chosen[name] = [*named_faults(name, root, sources), *(f for f, _ in zip(valid, range(wanted), strict=False))]
    return chosen


def named_faults(room: str, root: Path, sources: dict[Path, bytes]) -> Iterator[Fault]:
    for named in NAMED:
        if named.room != room:
            continue
        texts = {path: sources[path].decode() for path in files_of(ROOMS[room], root)}
        places = [(path, m) for path, text in texts.items() if (m := re.search(named.pattern, text))]
        if len(places) != 1:
            raise SystemExit(f"{named.name!r} has {len(places)} places in the room {room}; mend its pattern in NAMED")
        path, found = places[0]
        text = texts[path]
        start, end = (len(text[:place].encode()) for place in found.span())
        line = text[: found.end()].count("\n") + 1
        name, where = str(path.relative_to(root)), _where(text, line)
        yield Fault(name, where, named.name, line, start, end, found.group(), found.expand(named.replacement), 0)


def _where(text: str, line: int) -> str:
    names = [name for name, node in functions_of(ast.parse(text)) if node.lineno <= line <= (node.end_lineno or 0)]
    return names[-1] if names else ""


def functions_of(tree: ast.AST, where: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a file with its full name, an outer one before those in it."""
    for node in ast.iter_child_nodes(tree):
        inside = where
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inside = f"{where}.{node.name}" if where else node.name
            if not isinstance(node, ast.ClassDef):
                yield inside, node
        yield from functions_of(node, inside)


# ── running tests ───────────────────────────────────────────────────────────────────────────────────────────────────


class Watch:
    """A pytest plugin: only the tests asked for, the quickest first; what each took, and which failed."""

    def __init__(
        self, folder: Path, keep: set[str] | None, leave_out: Collection[str], seconds: dict[str, float]
    ) -> None:
        self.folder, self.keep, self.leave_out, self.seconds = folder, keep, leave_out, seconds
        self.failed: list[str] = []
        self.took: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [i for i in items if (self.keep is None or i.nodeid in self.keep) and i.nodeid not in self.leave_out]
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0.0))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        (self.folder / "last").write_text(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.took[report.nodeid] = self.took.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        (self.folder / "result.json").write_text(json.dumps({"failed": self.failed, "took": self.took}))


class Lane:
    """A copy of the repository with one run of tests at a time, in a child that has much imported already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "repository"
        shutil.rmtree(folder, ignore_errors=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)
                os.utime(self.root / name, (LONG_AGO, LONG_AGO))
        compileall.compile_dir(self.root / "src", quiet=2)
        self.pid = 0
        self.started = self.deadline = 0.0

    def plant(self, faults: Sequence[Fault], originals: Path) -> None:
        """Plant faults that do not overlap."""
        for fault in sorted(faults, key=lambda f: -f.start):  # from the end: places before stay what they are
            now = (self.root / fault.path).read_bytes() if len(faults) > 1 else (originals / fault.path).read_bytes()
            (self.root / fault.path).write_bytes(fault.plant(now))

    def restore(self, path: str, originals: Path) -> None:
        shutil.copy(originals / path, self.root / path)
        os.utime(self.root / path, (LONG_AGO, LONG_AGO))

    def start(
        self,
        tests: Sequence[str],
        *,
        keep: set[str] | None = None,
        leave_out: Collection[str] = (),
        seconds: dict[str, float] | None = None,
        limit_s: float = 240,
        test_limit_s: int = 60,
        options: Sequence[str] = ("-x",),
        is_first: bool = False,
    ) -> None:
        """Run `tests` in a child: those in `keep` (None: all) and not in `leave_out`.

        The first run leaves compiled tests for the others.
        """
        for name in ("result.json", "last"):
            (self.folder / name).unlink(missing_ok=True)
        self.started = time.monotonic()
        self.deadline = self.started + limit_s
        self.pid = os.fork()
        if self.pid:
            return
        try:  # the child
            os.setsid()
            output = os.open(self.folder / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(self.root)
            sys.path.insert(0, str(self.root / "src"))
            sys.argv = ["pytest"]
            os.environ |= {"PYTHONPATH": str(self.root / "src"), "OMP_NUM_THREADS": "1"}
            if not is_first:  # compiled faults must not be found by the next run
                sys.dont_write_bytecode = True
                os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            import pytest

            watch = Watch(self.folder, keep, leave_out, seconds or {})
            code = pytest.main(
                ["-q", "-p", "no:cacheprovider", f"--timeout={test_limit_s}", *options, *tests], plugins=[watch]
            )
        except BaseException:
            import traceback

            traceback.print_exc()
            code = 99
        os._exit(int(code))

    def poll(self) -> tuple[int | None, dict[str, Any]] | None:
        """The exit code (None: it took too long) and what `Watch` saw, once the child has ended."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        is_late = not pid and time.monotonic() > self.deadline
        if not pid and not is_late:
            return None
        with contextlib.suppress(ProcessLookupError):  # the child, if it goes on too long, and what its tests left
            os.killpg(self.pid, signal.SIGKILL)
        if is_late:
            os.waitpid(self.pid, 0)
        result = self.folder / "result.json"
        seen = json.loads(result.read_text()) if result.exists() else {}
        if not seen.get("failed"):
            last = self.folder / "last"
            seen["failed"] = [last.read_text() if last.exists() else "collection"]
        return None if is_late else os.waitstatus_to_exitcode(status), seen


def learn(lane: Lane, kept: Path, *, again: bool) -> dict[str, float]:
    """What each test of the rooms takes, as kept from an earlier run unless `again`. Failing tests take for ever."""
    tests = sorted({test for room in ROOMS.values() for test in tests_of(room.tests, lane.root)})
    if not again and kept.exists():
        run(lane, tests, options=["--collect-only"], limit_s=3600, is_first=True)
        return json.loads(kept.read_text())
    _, seen = run(lane, tests, options=(), limit_s=3600, test_limit_s=300, is_first=True)
    if not seen.get("took"):
        raise SystemExit(f"the tests did not run:\n{(lane.folder / 'output').read_text()[-3000:]}")
    seconds = {test: 1e9 if test in seen["failed"] else took for test, took in seen["took"].items()}
    kept.write_text(json.dumps(seconds))
    return seconds


def run(lane: Lane, tests: Sequence[str], **how: Any) -> tuple[int | None, dict[str, Any]]:
    lane.start(tests, **how)
    while (found := lane.poll()) is None:
        time.sleep(0.05)
    return found


# ── one fault after the other ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Trial:
    """A fault on its way through the tests."""

    room: str
    fault: Fault
    caught_by: str = ""  # a test
    is_caught_late: bool = False  # not by a test of its room
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        return ("everything" if self.is_caught_late else "room") if self.caught_by else "survived"


def try_rooms(
    trials: Sequence[Trial], lanes: Sequence[Lane], originals: Path, seconds: dict[str, float]
) -> Iterator[Trial]:
    """Every fault against its room's tests, as many at a time as there are lanes."""
    waiting, under_way = list(trials), dict[int, Trial]()
    while waiting or under_way:
        for number, lane in enumerate(lanes):
            if number in under_way:
                found = lane.poll()
                if found is None:
                    continue
                trial = under_way.pop(number)
                trial.seconds = time.monotonic() - lane.started
                trial.caught_by = found[1]["failed"][0] if found[0] != 0 else ""
                lane.restore(trial.fault.path, originals)
                yield trial
            if waiting:
                trial = under_way[number] = waiting.pop(0)
                files = tests_of(ROOMS[trial.room].tests, lane.root)
                slow = {test for test, took in seconds.items() if took > SLOW_S}
                lane.plant([trial.fault], originals)
                lane.start(files, leave_out=slow, seconds=seconds)
        time.sleep(0.02)


def try_together(survivors: Sequence[Trial], lane: Lane, originals: Path) -> Iterator[Trial]:
    """All survivors at once against the whole ordinary suite, then each alone against the tests that failed."""
    together, apart = [], []
    for trial in survivors:
        overlaps = any(
            trial.fault.path == t.fault.path and trial.fault.start < t.fault.end and t.fault.start < trial.fault.end
            for t in together
        )
        (apart if overlaps else together).append(trial)
    lane.plant([trial.fault for trial in together], originals)
    code, seen = run(lane, ["tests"], options=(), limit_s=3600)
    for trial in together:
        lane.restore(trial.fault.path, originals)
    failed = {test for test in seen["failed"] if "::" in test} if code else set[str]()
    print(f"planted together, {len(together)} survivors make {len(failed)} tests fail", flush=True)
    if failed:
        _, clean = run(lane, _files(failed), keep=failed, options=(), limit_s=1800)
        failed -= set(clean["failed"])
    for trial in (*together, *apart):
        if failed:
            lane.plant([trial.fault], originals)
            code, seen = run(lane, _files(failed), keep=failed, limit_s=900)
            lane.restore(trial.fault.path, originals)
            trial.caught_by, trial.is_caught_late = (seen["failed"][0] if code != 0 else ""), True
        yield trial
    if apart:
        yield from try_together(apart, lane, originals)


def _files(tests: set[str]) -> list[str]:
    return sorted({test.split("::")[0] for test in tests})


def report(trial: Trial, out: Path, commit: str) -> None:
    fault = trial.fault
    line = {
        "id": fault.id,
        "room": trial.room,
        "outcome": trial.outcome,
        "test": trial.caught_by,
        "seconds": round(trial.seconds, 1),
        "commit": commit,
        "path": fault.path,
        "line": fault.line,
        "where": fault.where,
        "operator": fault.operator,
        "before": fault.before,
        "after": fault.after,
    }
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{trial.outcome} {trial.seconds:.1f} s {fault.id} {fault.path}:{fault.line} {fault.operator}", flush=True)


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def explanations(file: Path) -> dict[str, str]:
    """Id → why no test notices: rows ``| `1a2b3c4d` | … | reason |`` of a Markdown table."""
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        row = re.match(r"\| `([0-9a-f]{8})` \|.*\|\s*(.+?)\s*\|$", line)
        if row is not None:
            found[row.group(1)] = row.group(2)
    return found


def print_tables(lines: list[dict[str, Any]], explained: dict[str, str]) -> bool:
    """The counts of each room, then the survivors. False where too few are caught or a survivor is not explained."""
    print(
        "\n| room | planted | caught by its own tests | by other tests | survived | caught |\n|---|---|---|---|---|---|"
    )
    for name in (*ROOMS, "all"):
        of_room = [line for line in lines if name in (line["room"], "all")]
        counts = [sum(line["outcome"] == outcome for line in of_room) for outcome in ("room", "everything", "survived")]
        share = 100 * (counts[0] + counts[1]) / len(of_room) if of_room else 0.0
        print(f"| {name} | {len(of_room)} | {counts[0]} | {counts[1]} | {counts[2]} | {share:.0f}% |")
    survivors = [line for line in lines if line["outcome"] == "survived"]
    if survivors:
        print("\n| fault | where | before → after | why no test notices |\n|---|---|---|---|")
    for line in survivors:
        change = " ".join(f"`{_short(line['before'])}` → `{_short(line['after'])}`".replace("|", "\\|").split())
        where = f"{line['path'].removeprefix('src/mars2/')} {line['where']}"
        print(f"| `{line['id']}` | {where} | {line['operator']}: {change} | {explained.get(line['id'], '?')} |")
    share = 1 - len(survivors) / len(lines) if lines else 0.0
    return share >= 0.9 and all(line["id"] in explained for line in survivors)


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:60]} … {text[-25:]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=ROOMS, action="append", help="these rooms only")
    parser.add_argument("--count", type=int, default=240, help="how many faults over all rooms, about")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--faults", nargs="+", default=[], metavar="ID", help="only these of all that can be planted")
    parser.add_argument("--out", type=Path, default=Path("runs/planted_faults.jsonl"), help="lines of JSON are added")
    parser.add_argument("--resume", action="store_true", help="leave out faults that --out holds")
    parser.add_argument("--room-only", action="store_true", help="do not try survivors against the whole suite")
    parser.add_argument("--kept", action="store_true", help="trust what an earlier run measured of the tests")
    parser.add_argument("--lanes", type=int, default=1, help="faults tried at a time")
    parser.add_argument("--explain", type=Path, default=EXPLAINED, help="Markdown that explains survivors")
    parser.add_argument("--list", action="store_true", help="print the faults and stop")
    parser.add_argument("--table", action="store_true", help="print the tables of --out and stop")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mars2-planted-faults")
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    if args.table:
        return not print_tables(list({line["id"]: line for line in lines}.values()), explanations(args.explain))
    chosen = choose_faults(ROOT, args.count, args.seed, args.faults)
    done = {line["id"] for line in lines} if args.resume else set[str]()
    trials = [
        Trial(room, fault)
        for room, faults in chosen.items()
        for fault in faults
        if (not args.only or room in args.only) and fault.id not in done
    ]
    if args.list:
        for trial in trials:
            fault = trial.fault
            print(f"{fault.id} {trial.room} {fault.path}:{fault.line} {fault.where}: {fault.operator}")
            print(f"    {fault.before}\n    {fault.after}")
        return 0
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.work.mkdir(parents=True, exist_ok=True)
    lanes = [Lane(args.work / str(number)) for number in range(args.lanes)]
    for name in PRELOADED:
        importlib.import_module(name)
    original = Lane(args.work / "original").root
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    print("the tests of the rooms, without a fault …", file=sys.stderr, flush=True)
    seconds = learn(lanes[0], args.work / "seconds.json", again=not args.kept)
    survivors: list[Trial] = []
    for trial in try_rooms(trials, lanes, original, seconds):
        if trial.caught_by or args.room_only:
            report(trial, args.out, commit)
        else:
            survivors.append(trial)
    for trial in try_together(survivors, lanes[0], original) if survivors else ():
        report(trial, args.out, commit)
    tried = {trial.fault.id for trial in trials}
    lines = [json.loads(line) for line in args.out.read_text().splitlines()]
    last = {line["id"]: line for line in lines if args.resume or line["id"] in tried}
    return not print_tables(list(last.values()), explanations(args.explain))


if __name__ == "__main__":
    raise SystemExit(main())
