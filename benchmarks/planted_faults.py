"""Plants small faults in the code, one at a time, and asks the tests: a fault that no test notices is a hole in them.

    python benchmarks/planted_faults.py                      # 240 faults, over all rooms
    python benchmarks/planted_faults.py --only losses        # one room
    python benchmarks/planted_faults.py --faults 1a2b3c4d    # some faults again, by their ids
    python benchmarks/planted_faults.py --table              # the tables of what was found before

Each fault is tried against the tests of its own room, the quickest first and those first that enter the function with
the fault; what survives is tried against every other test of the ordinary suite that enters that function, in its own
process or in one that it starts. Which tests do so is found by one run of the suite before. Results are lines of JSON
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_operators import Fault, changes_something, faults_of

ROOT = Path(__file__).parents[1]
EXPLAINED = Path(__file__).with_suffix(".md")
PRELOADED = ("pytest", "hypothesis", "pytest_asyncio", "numpy", "pydantic", "yaml", "torch", "transformers", "typer")
SLOW_S = 1.0  # tests of a room that take longer are tried with the others
LONG_AGO = 1_000_000_000  # when every file of the copy says it was changed, so that a planted fault is always newer


@dataclass(frozen=True, slots=True)
class Room:
    """Files that belong together, and the tests that are theirs."""

    files: tuple[str, ...]  # globs under src/mars2
    tests: tuple[str, ...]  # globs under tests
    others: tuple[str, ...] = ()  # the other tests that use it, where that cannot be found out by a run


ROOMS = {
    "credit": Room(("credit/*.py",), ("unit/credit/test_*.py", "contracts/test_advantage_contract.py")),
    "losses": Room(
        ("learners/losses.py", "learners/losses/*.py", "learners/policy_loss.py"),
        ("unit/learners/test_*loss*.py", "unit/learners/losses/test_*.py", "contracts/test_loss*.py"),
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
        others=("unit/sandbox/test_*.py", "contracts/test_sandbox*.py", "unit/runs/test_choose.py"),
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


def choose_faults(root: Path, count: int, seed: int) -> dict[str, list[Fault]]:
    """`count` faults: half in equal parts, half by how many can be planted in a room; few of them on one line."""
    sources = {path: path.read_bytes() for room in ROOMS.values() for path in files_of(room, root)}
    possible = {
        name: [f for path in files_of(room, root) for f in faults_of(str(path.relative_to(root)), sources[path])]
        for name, room in ROOMS.items()
    }
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

MARKER = """
import os
entered = set()
_file = os.environ.get("MARS2_ENTERED")  # set for processes that a test starts
def enter(name):
    if name not in entered:
        entered.add(name)
        if _file:
            with open(_file, "a") as file:
                file.write(name + "\\n")
"""


def marked(source: str, path: str) -> str:
    """A file whose functions say that they were entered."""
    tree = ast.parse(source)
    for name, node in functions_of(tree):
        place = 1 if ast.get_docstring(node) is not None and len(node.body) > 1 else 0
        node.body[place:place] = ast.parse(f"__import__('mars2_entered').enter({f'{path}::{name}'!r})").body
    return ast.unparse(ast.fix_missing_locations(tree))


class Watch:
    """A pytest plugin: the tests asked for, in the order asked for; what each took and entered, and which failed."""

    def __init__(
        self, folder: Path, keep: set[str] | None, first: set[str], seconds: dict[str, float], *, is_marked: bool
    ) -> None:
        self.folder, self.keep, self.first, self.seconds, self.is_marked = folder, keep, first, seconds, is_marked
        self.failed: list[str] = []
        self.took: dict[str, float] = {}
        self.entered: dict[str, set[str]] = {}
        self.last = "collection"

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if self.keep is None or item.nodeid in self.keep]
        items.sort(key=lambda item: (item.nodeid not in self.first, self.seconds.get(item.nodeid, 0.0)))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.last = nodeid
        (self.folder / "last").write_text(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.took[report.nodeid] = self.took.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        if self.is_marked:
            import mars2_entered  # pyright: ignore[reportMissingImports]: written by `learn`

            started = Path(os.environ["MARS2_ENTERED"])
            lines = started.read_text().split("\n")[:-1] if started.exists() else []
            self.entered.setdefault(nodeid, set()).update(mars2_entered.entered, lines)
            mars2_entered.entered.clear()
            started.unlink(missing_ok=True)

    def pytest_sessionfinish(self) -> None:
        entered = {test: sorted(names) for test, names in self.entered.items()}
        (self.folder / "result.json").write_text(
            json.dumps({"failed": self.failed, "took": self.took, "entered": entered})
        )


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

    def write(self, path: str, content: bytes, *, is_original: bool) -> None:
        (self.root / path).write_bytes(content)
        if is_original:
            os.utime(self.root / path, (LONG_AGO, LONG_AGO))

    def start(
        self,
        tests: Sequence[str],
        *,
        keep: set[str] | None = None,
        first: set[str],
        seconds: dict[str, float],
        limit_s: float,
        test_limit_s: int,
        options: Sequence[str] = ("-x",),
        is_marked: bool = False,
    ) -> None:
        """Run `tests`, of them only those in `keep` (None: all), in a child."""
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
            if is_marked:
                importlib.import_module("mars2_entered")
                os.environ["MARS2_ENTERED"] = str(self.folder / "entered")
            else:
                sys.dont_write_bytecode = True
                os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            import pytest

            watch = Watch(self.folder, keep, first, seconds, is_marked=is_marked)
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


@dataclass(frozen=True, slots=True)
class Suite:
    """What one run of the whole ordinary suite taught."""

    seconds: dict[str, float]  # test → what it took
    entering: dict[str, list[str]]  # path::function → the tests that enter it
    failing: list[str]  # tests that fail without any fault: they are left out
    opaque: list[str]  # tests that pass only where nothing is marked: what they enter is not known


def learn(lane: Lane, folder: Path, *, rooms_only: bool) -> Suite:
    """Run the suite with functions that say when they are entered; the answer is kept for the same files."""
    digest = hashlib.sha256(str(rooms_only).encode())
    for path in sorted((*lane.root.glob("src/**/*.py"), *lane.root.glob("tests/**/*.py"))):
        digest.update(path.read_bytes())
    kept = folder / f"suite-{digest.hexdigest()[:12]}.json"
    if kept.exists():
        return Suite(**json.loads(kept.read_text()))
    print("one run of the suite, to learn which test enters what …", file=sys.stderr, flush=True)
    originals: dict[str, bytes] = {}
    for room in ROOMS.values():
        for path in files_of(room, lane.root) if not room.others else ():
            name = str(path.relative_to(lane.root))
            originals[name] = path.read_bytes()
            lane.write(name, marked(originals[name].decode(), name).encode(), is_original=False)
    (lane.root / "src/mars2_entered.py").write_text(MARKER)
    tests = ["tests"]
    if rooms_only:
        tests = sorted({test for room in ROOMS.values() for test in tests_of(room.tests, lane.root)})
    _, seen = _run(lane, tests, options=(), is_marked=True, limit_s=3600)
    for name, content in originals.items():
        lane.write(name, content, is_original=True)
    if not seen.get("took"):
        raise SystemExit(f"the suite did not run:\n{(lane.folder / 'output').read_text()[-3000:]}")
    compileall.compile_dir(lane.root / "src", quiet=2)
    suspects = sorted({test for test in seen["failed"] if "::" in test and test in seen["took"]})
    failing: list[str] = []
    if suspects:
        code, again = _run(lane, suspects, options=())
        failing = sorted(set(again["failed"]) & set(suspects)) if code else []
    entering: dict[str, list[str]] = {}
    for test, names in seen["entered"].items():
        for name in names:
            entering.setdefault(name, []).append(test)
    suite = Suite(seen["took"], entering, failing, [test for test in suspects if test not in failing])
    kept.write_text(json.dumps({name: getattr(suite, name) for name in Suite.__slots__}))
    return suite


def _run(lane: Lane, tests: Sequence[str], *, limit_s: float = 900, **how: Any) -> tuple[int | None, dict[str, Any]]:
    lane.start(tests, first=set(), seconds={}, limit_s=limit_s, test_limit_s=120, **how)
    while (found := lane.poll()) is None:
        time.sleep(0.05)
    return found


# ── one fault after the other ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Trial:
    """A fault on its way through the tests."""

    room: str
    fault: Fault
    stage: str = "room"  # then "everything"
    seconds: float = 0.0


def tests_for(trial: Trial, suite: Suite, root: Path) -> tuple[set[str], set[str]]:
    """The tests of a trial's stage, and those among them that come first."""
    room, every = ROOMS[trial.room], set(suite.seconds) - set(suite.failing)
    files = set(tests_of(room.tests, root))
    own = {test for test in every if _file(test) in files}
    quick = {test for test in own if suite.seconds[test] <= SLOW_S}
    entering = set(suite.entering.get(f"{trial.fault.path}::{trial.fault.where}", ()))
    if trial.stage == "room":
        return quick, entering
    if room.others:
        others = set(tests_of(room.others, root))
        return own - quick | {test for test in every if _file(test) in others}, entering
    if not entering:  # not in a function, so it is carried out on import
        return every - quick, entering
    return (own | entering | set(suite.opaque)) & every - quick, entering


def _file(test: str) -> str:
    return test.split("::")[0]


def try_all(trials: list[Trial], lanes: list[Lane], suite: Suite, out: Path, *, everything: bool) -> None:
    """Every trial through its stages, `lanes` at a time; a line of JSON for each."""
    waiting, under_way, num_done = list(trials), dict[int, Trial](), 0
    while waiting or under_way:
        for number, lane in enumerate(lanes):
            trial = under_way.get(number)
            if trial is None:
                if not waiting:
                    continue
                trial = under_way[number] = waiting.pop(0)
            elif (found := lane.poll()) is None:
                continue
            else:
                del under_way[number]
                code, seen = found
                trial.seconds += time.monotonic() - lane.started
                lane.write(trial.fault.path, (ROOT_COPY / trial.fault.path).read_bytes(), is_original=True)
                is_caught = code != 0
                if not is_caught and trial.stage == "room" and everything:
                    trial.stage = "everything"
                    waiting.append(trial)  # after every fault has met its room
                    continue
                num_done += 1
                report(trial, is_caught, code, seen["failed"][0], out, f"{num_done}/{len(trials)}")
                continue
            source = (ROOT_COPY / trial.fault.path).read_bytes()
            tests, first = tests_for(trial, suite, lane.root)
            if not tests:
                del under_way[number]
                num_done += 1
                report(trial, False, 0, "", out, f"{num_done}/{len(trials)}")
                continue
            lane.write(trial.fault.path, trial.fault.plant(source), is_original=False)
            files = sorted({_file(test) for test in tests})
            limit_s = 240 if trial.stage == "room" else 900
            lane.start(files, keep=tests, first=first, seconds=suite.seconds, limit_s=limit_s, test_limit_s=60)
        time.sleep(0.02)


def report(trial: Trial, is_caught: bool, code: int | None, test: str, out: Path, progress: str) -> None:
    fault = trial.fault
    outcome = trial.stage if is_caught else "survived"
    line = {
        "id": fault.id,
        "room": trial.room,
        "outcome": outcome,
        "test": test if is_caught else "",
        "code": code,
        "seconds": round(trial.seconds, 1),
        "path": fault.path,
        "line": fault.line,
        "where": fault.where,
        "operator": fault.operator,
        "before": fault.before,
        "after": fault.after,
    }
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    mark = {"room": "caught", "everything": "caught late", "survived": "SURVIVED"}[outcome]
    print(f"{progress} {mark} {trial.seconds:.1f} s {fault.id} {fault.path}:{fault.line} {fault.operator}", flush=True)


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


ROOT_COPY = ROOT


def main() -> int:
    global ROOT_COPY
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=ROOMS, action="append", help="these rooms only")
    parser.add_argument("--count", type=int, default=240, help="how many faults over all rooms, about")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--faults", nargs="+", default=[], metavar="ID", help="only these of all that can be planted")
    parser.add_argument("--out", type=Path, default=Path("runs/planted_faults.jsonl"), help="lines of JSON are added")
    parser.add_argument("--resume", action="store_true", help="leave out faults that --out holds")
    parser.add_argument("--room-only", action="store_true", help="do not try survivors against everything")
    parser.add_argument("--lanes", type=int, default=1, help="faults tried at a time")
    parser.add_argument("--explain", type=Path, default=EXPLAINED, help="Markdown that explains survivors")
    parser.add_argument("--list", action="store_true", help="print the faults and stop")
    parser.add_argument("--table", action="store_true", help="print the tables of --out and stop")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mars2-planted-faults")
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    if args.table:
        return not print_tables(list({line["id"]: line for line in lines}.values()), explanations(args.explain))
    count = 10**9 if args.faults else args.count
    chosen = choose_faults(ROOT, count, args.seed)
    done = {line["id"] for line in lines} if args.resume else set[str]()
    trials = [
        Trial(room, fault)
        for room, faults in chosen.items()
        for fault in faults
        if (not args.only or room in args.only) and fault.id not in done
        if not args.faults or fault.id in args.faults
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
    suite = learn(lanes[0], args.work, rooms_only=args.room_only)
    original = Lane(args.work / "original")
    ROOT_COPY = original.root
    try_all(trials, lanes, suite, args.out, everything=not args.room_only)
    tried = {trial.fault.id for trial in trials}
    lines = [json.loads(line) for line in args.out.read_text().splitlines()]
    last = {line["id"]: line for line in lines if args.resume or line["id"] in tried}
    return not print_tables(list(last.values()), explanations(args.explain))


if __name__ == "__main__":
    raise SystemExit(main())
