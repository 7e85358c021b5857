# ruff: noqa: E501 (whole programs on a line)
"""More correct programs for the task of `fidelity`: odd but legal ways to read, compute, print and end."""

from __future__ import annotations

_READ = "n = int(input())\na = list(map(int, input().split()))\n"
_END = "print(sum(a))\nprint(max(a))\n"

STDIO: dict[str, str] = {
    "exit_inside_nested_functions": "import sys\ndef outer():\n    def inner():\n        "
    + _READ.replace("\n", "\n        ")
    + "print(sum(a)); print(max(a)); sys.exit(0)\n    inner()\nouter()\nprint('never')\n",
    "exit_with_none": _READ + _END + "raise SystemExit(None)\n",
    "exit_with_false": _READ + _END + "import sys\nsys.exit(False)\n",
    "exit_caught": "import sys\n" + _READ + "try: sys.exit(3)\nexcept SystemExit: pass\n" + _END,
    "prompt_on_stderr": "import sys\nsys.stderr.write('n? ')\n" + _READ + _END,
    "os_write_one_mixed": "import os\n"
    + _READ
    + "os.write(1, f'{sum(a)}\\n'.encode())\nos.write(1, f'{max(a)}\\n'.encode())\n",
    "print_then_os_write": "import os\n"
    + _READ
    + "print(sum(a), flush=True)\nos.write(1, str(max(a)).encode() + b'\\n')\n",
    "output_from_threads": "import threading\n"
    + _READ
    + "for f in (sum, max):\n    t = threading.Thread(target=lambda: print(f(a)))\n    t.start()\n    t.join()\n",
    "generator_pipeline": "def tokens():\n    while True:\n        try: yield from map(int, input().split())\n        except EOFError: return\nt = tokens()\nn = next(t)\na = [next(t) for _ in range(n)]\n"
    + _END,
    "recursion_100_000": "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(256 * 2**20)\ndef f(k): return 0 if k == 0 else 1 + f(k - 1)\ndef main():\n    n = int(input())\n    a = list(map(int, input().split()))\n    assert f(10**5) == 10**5\n    print(sum(a))\n    print(max(a))\nt = threading.Thread(target=main)\nt.start()\nt.join()\n",
    "recursion_50_000_main": "import sys\nsys.setrecursionlimit(10**6)\ndef f(k): return 0 if k == 0 else 1 + f(k - 1)\nassert f(50_000) == 50_000\n"
    + _READ
    + _END,
    "bootstrap_decorator": "from types import GeneratorType\ndef bootstrap(f, stack=[]):\n    def wrapped(*args):\n        if stack: return f(*args)\n        to = f(*args)\n        while True:\n            if type(to) is GeneratorType:\n                stack.append(to); to = next(to)\n            else:\n                stack.pop()\n                if not stack: return to\n                to = stack[-1].send(to)\n    return wrapped\n@bootstrap\ndef f(k):\n    yield 0 if k == 0 else 1 + (yield f(k - 1))\nf(10_000)\n"
    + _READ
    + _END,
    "read_in_parts": "import sys\nfirst = sys.stdin.read(1)\nrest = sys.stdin.read()\nn, *a = map(int, (first + rest).split())\n"
    + _END,
    "stops_reading_early": "n = int(input())\nimport os\na = list(map(int, os.read(0, 10**6).split() or input().split()))\n"
    + _END,
    "byte_by_byte": "import os\ndata = b''\nwhile c := os.read(0, 1): data += c\nn, *a = map(int, data.split())\n"
    + _END,
    "readinto": "import sys\nb = bytearray(1 << 16)\nk = sys.stdin.buffer.readinto(b)\nn, *a = map(int, b[:k].split())\n"
    + _END,
    "peek": "import sys\nsys.stdin.buffer.peek(1)\n" + _READ + _END,
    "seek_to_start": "import sys\nsys.stdin.readline()\nsys.stdin.seek(0)\n" + _READ + _END,
    "select_on_stdin": "import select, sys\nselect.select([sys.stdin], [], [], 1)\n" + _READ + _END,
    "isatty_and_encoding": "import sys\nassert not sys.stdin.isatty() and sys.stdout.encoding.lower() == 'utf-8' and sys.argv[1:] == []\n"
    + _READ
    + _END,
    "reconfigured_streams": "import sys\nsys.stdout.reconfigure(line_buffering=True)\nsys.stdin.reconfigure(encoding='utf-8')\n"
    + _READ
    + _END,
    "detached_stdout": "import io, sys\nout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')\nsys.stdout = out\n"
    + _READ
    + _END,
    "closed_stdout_at_end": "import sys\n" + _READ + _END + "sys.stdout.close()\n",
    "import_without_use": "import multiprocessing, subprocess, socket, ctypes, resource, signal, logging, argparse, unittest, json, csv, zlib, queue, uuid\n"
    + _READ
    + _END,
    "resource_limits_read": "import resource\nresource.getrlimit(resource.RLIMIT_STACK)\nresource.getrusage(resource.RUSAGE_SELF)\n"
    + _READ
    + _END,
    "resource_stack_raised": "import resource, sys\ntry: resource.setrlimit(resource.RLIMIT_STACK, (2**29, 2**29))\nexcept (ValueError, OSError): pass\n"
    + _READ
    + _END,
    "signal_handler": "import signal\nsignal.signal(signal.SIGTERM, lambda *a: None)\n" + _READ + _END,
    "short_sleep": "import time\ntime.sleep(0.01)\n" + _READ + _END,
    "logging_to_stderr": "import logging\nlogging.basicConfig(level=10)\nlogging.info('x')\n" + _READ + _END,
    "warning_raised": "import warnings\nwarnings.warn('careful')\n" + _READ + _END,
    "long_integers": "import sys\nsys.set_int_max_str_digits(0)\nassert len(str(7 ** 10_000)) == 8451\n" + _READ + _END,
    "decimal_precision": "from decimal import Decimal, getcontext\ngetcontext().prec = 60\n"
    + _READ
    + "print(sum(map(Decimal, a)))\nprint(max(a))\n",
    "frozen_dataclass": "from dataclasses import dataclass, field\n@dataclass(frozen=True, order=True, slots=True)\nclass P:\n    x: int\n    tags: list = field(default_factory=list, compare=False)\n"
    + _READ
    + "p = [P(x) for x in a]\nprint(sum(q.x for q in p))\nprint(max(p).x)\n",
    "generic_protocol_typing": "from typing import *\nT = TypeVar('T')\nclass Box(Generic[T]):\n    def __init__(self, x: T): self.x = x\nclass P(NamedTuple):\n    s: int\n    m: int\n"
    + _READ
    + "p = Box(P(sum(a), max(a))).x\nprint(p.s)\nprint(p.m)\n",
    "abstract_and_enum": "from abc import ABC, abstractmethod\nfrom enum import Enum, auto\nclass K(Enum):\n    S = auto()\n    M = auto()\nclass B(ABC):\n    @abstractmethod\n    def f(self, a): ...\nclass C(B):\n    def f(self, a): return {K.S: sum(a), K.M: max(a)}\n"
    + _READ
    + "r = C().f(a)\nprint(r[K.S])\nprint(r[K.M])\n",
    "comprehension_side_effects": _READ + "[print(f(a)) for f in (sum, max)]\n",
    "print_to_file_argument": "import sys\n"
    + _READ
    + "print(sum(a), file=sys.stdout)\nprint(max(a), file=sys.__stdout__)\n",
    "numpy_from_text": "import sys\nimport numpy as np\nx = np.array(sys.stdin.buffer.read().split(), dtype=np.int64)[1:]\nprint(x.sum())\nprint(x.max())\n",
    "numpy_inside_function": "def main():\n    import numpy\n    n = int(input())\n    x = numpy.fromstring(input(), dtype=int, sep=' ')\n    print(int(x.sum()))\n    print(int(x.max()))\nmain()\n",
    "exit_handler_and_exit": "import atexit, sys\n"
    + _READ
    + "atexit.register(lambda: print(max(a)))\nprint(sum(a))\nsys.exit()\n",
    "weak_references": "import weakref\nclass A: pass\nx = A()\nr = weakref.ref(x)\nweakref.finalize(x, lambda: None)\n"
    + _READ
    + _END,
    "method_of_a_huge_number": _READ + _END + f"if n < 0: 0x{'f' * 5000} .format()\n",
    "files_opened_apart": "import io, sys\nsys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)))\n"
    + _READ
    + _END,
    "deep_copy": "from copy import deepcopy\n" + _READ + "b = deepcopy([a])\na.clear()\na = b[0]\n" + _END,
    "tuple_with_names": "from collections import namedtuple\nP = namedtuple('P', 's m')\n"
    + _READ
    + "p = P(0, max(a))._replace(s=sum(a))\nprint(p.s)\nprint(p._asdict()['m'])\n",
    "contextlib_and_tempdir": "import tempfile, contextlib, os\nwith tempfile.TemporaryDirectory() as d, contextlib.suppress(KeyError):\n    open(os.path.join(d, 'x'), 'w').write('1')\n    {}['x']\n"
    + _READ
    + _END,
}
