"""What a zygote's child does in its jail: it runs the tests of its job, answers requests, and exits.

It runs a candidate, or the problem author's code: an assertion test or a checker.
"""

from __future__ import annotations

import marshal
import os
import sys

from .. import reuse
from ..encoding import encode
from ..program import checker
from ..program.candidate import Candidate
from ..protocol import (
    BEGIN,
    BOX,
    CHECK,
    CONTROL,
    DONE,
    HELLO,
    REPLY,
    RUN_TESTER,
    RUN_TESTS,
    SERVE_CALL,
)
from ..records import write_report
from ..tester.called import Called

_TRUSTED_RECURSION = 10_000  # of tests and checkers in a process of their own
_GREETING = REPLY.pack(HELLO, 0, 0)


def serve(candidate: Candidate) -> None:
    """Run the tests of the job in the box, then answer requests, then exit."""
    # A `Job` taken apart: to look up its fields by name would change some twenty pages more of each child.
    fields = marshal.loads(os.pread(BOX, os.lseek(BOX, 0, os.SEEK_END), 0))
    candidate.packed, candidate.source, candidate.may_share, stops, cpu_slice_s, wall_slice_s, tests, stay, is_heard = (
        fields
    )
    if is_heard:
        os.write(CONTROL, _GREETING)  # now the box and the files are free for requests
    called: list[Called] = []
    while True:
        if len(tests) == 1 and not stay:
            kind, body, _ = tests[0]
            candidate.run_last(kind, body)
            return candidate.leave(0)
        if tests:
            clean = reuse.run_tests(candidate, tests, stay, stops, cpu_slice_s, wall_slice_s)
            if not clean and not stay:
                return candidate.leave(0)
            os.write(CONTROL, REPLY.pack(DONE, 0, clean))
        request = os.read(CONTROL, 64)
        if not request:
            return candidate.leave(0)
        kind, body = request[0], os.pread(BOX, int.from_bytes(request[1:9], "little"), 0)
        if kind == RUN_TESTS:
            tests, stay = marshal.loads(body)
        else:
            tests = []
            _answer(candidate, called, kind, body)


def _answer(candidate: Candidate, called: list[Called], kind: int, body: bytes) -> None:
    """One step of a test, or one by itself whose report the supervisor waits for.

    `called` holds the candidate's side of its exchange with a tester, if there is one.
    """
    if kind in (RUN_TESTER, CHECK):
        sys.setrecursionlimit(_TRUSTED_RECURSION)
    if kind == RUN_TESTER:
        from ..tester import tester  # preloaded where it is used, see `nursery`

        report, reusable = tester.run(*marshal.loads(body)), True
    elif kind == CHECK:
        report, reusable = checker.run(body), False
    elif kind == BEGIN:
        report, reusable = candidate.step(kind, body), True
    elif kind == SERVE_CALL:
        if not called:
            called.append(Called(candidate))
        os.write(CONTROL, REPLY.pack(DONE, write_report(BOX, called[0].serve(body)), True))
        return
    else:
        called.clear()  # so that nothing of the program is held when it ends
        report = candidate.run(kind, body)
        reusable = candidate.reset()
    os.write(CONTROL, REPLY.pack(DONE, write_report(BOX, encode(report)), reusable))
