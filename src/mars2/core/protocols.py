"""The seams, on one page. Every adapter of a seam, fake or real, passes the seam's suite in `tests/contracts`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

from mars2.core.completion import Completion, Prompt, Reading, Sampling
from mars2.core.events import Event
from mars2.core.problem import Problem, Suite
from mars2.core.sample import TrainingSample
from mars2.core.tree import Node, Tree
from mars2.core.verdict import Verdict

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Choice:
    """Grow a child of `parent_id` (None: a first attempt) with `agent`."""

    parent_id: int | None
    agent: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more to grow now. `reason` is shown to the user."""

    reason: str


class Search(Protocol):
    """Decides where a tree grows. One per tree; its state is a function of the tree's nodes, so resume is replay."""

    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        """Pick where to grow next. Reads pending expansions from `tree.pending`; draws only from `rng`."""
        ...

    def tell(self, tree: Tree, node: Node) -> None:
        """`node` was just added to `tree`: update statistics. Called exactly once per node, in id order."""
        ...


class Backend(Protocol):
    """Generates completions for one policy. Requests made in one tick of the event loop may be batched together."""

    policy: str

    @property
    def version(self) -> int:
        """Version of the weights that the next request will use."""
        ...

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """One completion. Raises BackendError when it cannot; cancellation is clean."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Versioned weights of one policy: an ordinary Hugging Face folder, or weights handed over in memory."""

    policy: str
    version: int
    folder: Path | None = None
    state: Mapping[str, object] | None = None  # parameter name -> tensor, in the learner's process


@runtime_checkable
class TrainableBackend(Backend, Protocol):
    """A backend whose weights follow a learner."""

    async def load(self, snapshot: Snapshot) -> None:
        """Use these weights from the next request on. Requests under way finish on the old ones and say so."""
        ...


@runtime_checkable
class CanSleep(Protocol):
    """A backend that can give its memory back; the next request or `load` wakes it."""

    async def sleep(self) -> None:
        """Returns when the memory is free, or at once if the backend is not set to do so."""
        ...


@dataclass(frozen=True, slots=True)
class SandboxFacts:
    """What a judge has done so far. A run's log keeps it."""

    tier: str  # the isolation it gave; "" before the first judgement
    num_judged: int  # programs that ran; answers from memory are not counted
    num_failures: int  # of the judge itself, each repeated or raised
    num_cache_hits: int = 0


class Sandbox(Protocol):
    """Runs programs against tests."""

    async def judge(self, program: str | None, suite: Suite, *, stop_at_first_failure: bool = True) -> Verdict:
        """Verdict of a program (None or no valid Python: CE). Never blocks the event loop.

        Raises:
            SandboxUnavailable: the judge itself is broken.
        """
        ...

    def facts(self) -> SandboxFacts:
        """What was judged so far, and how often the judge itself failed."""
        ...

    async def close(self) -> None: ...


class RewardModel(Protocol):
    """Estimates how likely programs are right, without running them."""

    def score(self, problem: Problem, programs: Sequence[str]) -> list[float]:
        """Probabilities in [0, 1], one per program."""
        ...


EstimatorState = Mapping[str, float]
"""What an estimator remembers from tree to tree; JSON can hold it, so that checkpoints do."""


class AdvantageEstimator(Protocol):
    """Turns shaped rewards of one finished tree into advantages.

    Trees come in the order in which the trainer receives them. An estimator keeps nothing itself: the state is handed
    in and handed back, so a run that is killed and resumed goes on with the state of its checkpoint.
    """

    def initial(self) -> EstimatorState:
        """The state before the first tree."""
        ...

    def __call__(
        self, tree: Tree, shaped: Mapping[int, float], state: EstimatorState
    ) -> tuple[dict[int, float], EstimatorState]:
        """Advantages by node id, and the state for the next tree; `shaped` and `state` are left as they are.

        Raises:
            ValueError: a node has no shaped reward.
        """
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A backend that knows how long a prompt is before it is sent; budgets then reserve no more than needed."""

    def count_tokens(self, prompt: Prompt) -> int: ...


Metrics = dict[str, float]


@runtime_checkable
class HasTroubles(Protocol):
    """A backend that mends some faults by itself, and says so."""

    def troubles(self) -> list[str]:
        """What went wrong since the last call, a sentence each."""
        ...


class Learner(Protocol):
    """Updates one policy."""

    policy: str

    @property
    def version(self) -> int:
        """Number of updates done; the snapshot's version."""
        ...

    def step(self, samples: Sequence[TrainingSample]) -> Metrics:
        """One update from one batch. Blocking; call it off the event loop."""
        ...

    def snapshot(self) -> Snapshot: ...

    def save(self, folder: Path) -> None:
        """Write weights (Hugging Face folder), optimizer, RNG and version under `folder`."""
        ...

    def restore(self, folder: Path) -> None: ...


SampleRow = tuple[str, str, int, str]
"""(key, policy, step, outcome): one line of the ledger; outcome is ``trained`` or ``stale``."""


class Store(Protocol):
    """One run's memory on disk: append-only, crash-safe."""

    def hear(self, event: Event) -> None:
        """Write an event down: whole, or not at all."""
        ...

    def save_problem(self, problem: Problem) -> None: ...

    def record_samples(self, rows: Iterable[SampleRow]) -> None:
        """Enter samples in the ledger; a key entered before is an error."""
        ...

    def sync(self) -> None:
        """Return when all that was written is safe from a power cut."""
        ...

    def position(self) -> dict[str, int]:
        """How far the store has grown; kept in checkpoints."""
        ...

    def rollback(self, position: Mapping[str, int]) -> None:
        """Forget the training records made after `position`: they belong to updates that no checkpoint holds."""
        ...


class Tracker(Protocol):
    """A listener with something to open and close around the run, such as a connection to a dashboard."""

    def hear(self, event: Event) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Prompter(Protocol):
    """Writes what an agent is asked. One object serves every problem and agent."""

    def first_attempt(self, problem: Problem, role: str) -> Prompt:
        """Ask for a program; `role` is the agent's role prompt ("" for none)."""
        ...

    def refinement(self, problem: Problem, role: str, parent: Node) -> Prompt:
        """Ask for a better program than `parent`'s, showing it and what the public tests said of it."""
        ...

    def read(self, text: str, problem: Problem | None = None) -> Reading:
        """The program in an answer, and why it was taken. The program graded is the program fed back.

        With `problem`, what its starter code provides (imports, helpers) is put back where the answer left it out.
        """
        ...


Split = Literal["train", "test"]


class ProblemSource(Protocol):
    """Where problems come from."""

    def load(self, split: Split) -> Sequence[Problem]: ...
