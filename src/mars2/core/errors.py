"""Every error that mars2 raises on purpose. What only one room raises is defined there.

Mars2Error
├── UserError              a mistake in what the user gave; the command line prints one line and exits with 2
│   ├── ConfigError        a configuration key or value
│   │   └── OptionError    a field of an options object, wherever it was made
│   ├── MissingPackage     a package that an extra installs is not there (core/optional.py)
│   ├── ProblemError       a problem file or problem source
│   │   └── CheckerError   a problem's own checker or test failed: never a verdict, never a reward
│   └── RequestError       a request to `mars2 serve` (serve/requests.py)
├── BackendError           a backend could not generate (after its own retries)
├── RewardModelError       the reward model gave no probability for each program (runs/growing/guidance.py)
├── SandboxUnavailable     the judge itself is broken; never a verdict, never a reward
├── TrainingDiverged       several updates in a row had a loss or gradient that is not finite (learners/optimizer.py)
├── TrainingStalled        a run has nothing left to learn from (runs/training/core.py)
├── WarmStartError         training a tiny policy of the lab failed (lab/warm_start.py)
└── StoreError             a run folder cannot be read or written
    └── RunNotBegun        the run's folder exists, its tables do not yet (store/schema.py)
"""

from __future__ import annotations


class Mars2Error(Exception):
    """Base of every deliberate error."""


class UserError(Mars2Error):
    """A mistake in the user's input. The message names the field, the value and the remedy, in one line."""


class ConfigError(UserError, ValueError):
    """A configuration key or value is wrong."""


class OptionError(ConfigError):
    """A field of an options object has a value that it may not have.

    The object does not know in which section of a configuration it stands; whoever does calls `under`.
    """

    def __init__(self, field: str, problem: str, *, sign: str = "") -> None:
        """`problem` follows the name of the field, such as "must be > 1, got 0; use 3"."""
        super().__init__(f"{field}{sign} {problem}")
        self._field, self._problem, self._sign = field, problem, sign

    def under(self, section: str) -> OptionError:
        """The same mistake with the dotted name of the section before the field."""
        return OptionError(f"{section}.{self._field}" if section else self._field, self._problem, sign=self._sign)


class MissingPackage(UserError):
    """A package that one of the extras installs is not there."""


class ProblemError(UserError):
    """A problem file or source is malformed."""


class CheckerError(ProblemError):
    """A problem's checker, or an assertion test, could not be run. The program has no verdict (IE)."""


class BackendError(Mars2Error):
    """A backend could not produce a completion."""


class SandboxUnavailable(Mars2Error):
    """The sandbox cannot judge. A bad program is a `Verdict`; a broken judge is this."""


class StoreError(Mars2Error):
    """A run folder cannot be read or written."""
