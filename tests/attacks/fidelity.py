# ruff: noqa: E501 (whole programs on a line)
"""Correct programs in the styles that contest code uses. Each must be AC, in both modes.

Task: the first line holds n, the second n integers; print their sum, then their maximum, one a line.
"""

from __future__ import annotations

import more_fidelity
import third_fidelity

CASES = (("3\n1 2 3\n", "6\n3\n"), ("1\n-5\n", "-5\n-5\n"), ("4\n10 20 30 40", "100\n40\n"))
_END = "print(sum(a))\nprint(max(a))\n"

STDIO: dict[str, str] = {
    "input": "n = int(input())\na = list(map(int, input().split()))\n" + _END,
    "input_prompt_free_unpack": "n, = map(int, input().split())\n*a, = map(int, input().split())\n" + _END,
    "sys_stdin_readline": "import sys\nn = int(sys.stdin.readline())\na = list(map(int, sys.stdin.readline().split()))\n"
    + _END,
    "input_rebound": "import sys\ninput = sys.stdin.readline\nn = int(input())\na = list(map(int, input().split()))\n"
    + _END,
    "input_lambda": "import sys\ninput = lambda: sys.stdin.readline().rstrip()\nn = int(input())\na = [*map(int, input().split())]\n"
    + _END,
    "stdin_read": "import sys\nn, *a = map(int, sys.stdin.read().split())\n" + _END,
    "stdin_readlines": "import sys\nlines = sys.stdin.readlines()\na = [int(x) for x in lines[1].split()]\n" + _END,
    "stdin_buffer_read": "import sys\nn, *a = map(int, sys.stdin.buffer.read().split())\n" + _END,
    "stdin_buffer_readline": "import sys\nr = sys.stdin.buffer.readline\nn = int(r())\na = list(map(int, r().split()))\n"
    + _END,
    "stdin_buffer_readlines": "import sys\na = list(map(int, sys.stdin.buffer.readlines()[1].split()))\n" + _END,
    "for_line_in_stdin": "import sys\nnumbers = []\nfor line in sys.stdin:\n    numbers += map(int, line.split())\na = numbers[1:]\n"
    + _END,
    "list_of_stdin": "import sys\na = [int(x) for line in list(sys.stdin)[1:] for x in line.split()]\n" + _END,
    "next_stdin": "import sys\nnext(sys.stdin)\na = [int(x) for x in next(sys.stdin).split()]\n" + _END,
    "iter_input_until_eof": "lines = []\nwhile True:\n    try:\n        lines.append(input())\n    except EOFError:\n        break\n"
    "a = [int(x) for x in lines[1].split()]\n" + _END,
    "open_zero": "n, *a = map(int, open(0).read().split())\n" + _END,
    "open_zero_binary": "n, *a = map(int, open(0, 'rb').read().split())\n" + _END,
    "open_zero_lines": "lines = list(open(0))\na = list(map(int, lines[1].split()))\n" + _END,
    "open_zero_with": "with open(0) as f:\n    n = int(f.readline())\n    a = list(map(int, f.readline().split()))\n"
    + _END,
    "open_dev_stdin": "n, *a = map(int, open('/dev/stdin').read().split())\n" + _END,
    "os_read": "import os\nn, *a = map(int, os.read(0, 10**6).split())\n" + _END,
    "os_read_fstat": "import os\nn, *a = map(int, os.read(0, os.fstat(0).st_size).split())\n" + _END,
    "io_bytesio_of_read": "import io, os\ninput = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline\nn = int(input())\n"
    "a = list(map(int, input().split()))\n" + _END,
    "fileinput": "import fileinput\nlines = [line for line in fileinput.input()]\na = list(map(int, lines[1].split()))\n"
    + _END,
    "mmap_as_memory_by_access": "import mmap\nn, *a = map(int, open(0).read().split())\n"
    "m = mmap.mmap(-1, 4096, access=mmap.ACCESS_WRITE)\nm.write(repr(a).encode())\na = eval(m[:].rstrip(b'\\0'))\n"
    + _END,
    "mmap_as_memory": "import mmap\nn, *a = map(int, open(0).read().split())\nm = mmap.mmap(-1, 8 * n + 8)\n"
    "for x in a[:n]: m.write(x.to_bytes(8, 'little', signed=True))\n"
    "a = [int.from_bytes(m[8 * i : 8 * i + 8], 'little', signed=True) for i in range(n)]\n" + _END,
    "mmap_stdin": "import mmap\nn, *a = map(int, mmap.mmap(0, 0, access=mmap.ACCESS_READ).read().split())\n" + _END,
    "stdin_wrapped": "import sys, io\nsys.stdin = io.TextIOWrapper(sys.stdin.buffer, encoding='ascii')\nn = int(input())\n"
    "a = list(map(int, input().split()))\n" + _END,
    "stdin_replaced": "import sys, io\nsys.stdin = io.StringIO(sys.stdin.read())\nn = int(input())\na = list(map(int, input().split()))\n"
    + _END,
    "stdout_write": "import sys\nn = int(input())\na = list(map(int, input().split()))\nsys.stdout.write(f'{sum(a)}\\n{max(a)}\\n')\n",
    "stdout_buffer_write": "import sys\nn = int(input())\na = list(map(int, input().split()))\n"
    "sys.stdout.buffer.write(b'%d\\n%d\\n' % (sum(a), max(a)))\n",
    "os_write": "import os\nn = int(input())\na = list(map(int, input().split()))\nos.write(1, f'{sum(a)}\\n{max(a)}\\n'.encode())\n",
    "open_one": "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), max(a), sep='\\n', file=open(1, 'w'))\n",
    "open_dev_stdout": "n = int(input())\na = list(map(int, input().split()))\nout = open('/dev/stdout', 'w')\n"
    "out.write(f'{sum(a)}\\n{max(a)}')\n",
    "stdout_replaced_by_stringio": "import sys, io\nout = sys.stdout\nsys.stdout = io.StringIO()\nn = int(input())\n"
    "a = list(map(int, input().split()))\nprint(sum(a))\nprint(max(a))\nout.write(sys.stdout.getvalue())\n",
    "redirect_stdout": "import io, contextlib\nn = int(input())\na = list(map(int, input().split()))\nb = io.StringIO()\n"
    "with contextlib.redirect_stdout(b):\n    print(sum(a))\n    print(max(a))\nprint(b.getvalue(), end='')\n",
    "print_end_flush": "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), end='\\n', flush=True)\nprint(max(a), end='')\n",
    "print_star_sep": "n = int(input())\na = list(map(int, input().split()))\nprint(*[sum(a), max(a)], sep='\\n')\n",
    "join_output": "n = int(input())\na = list(map(int, input().split()))\nprint('\\n'.join(map(str, (sum(a), max(a)))))\n",
    "main_function": "def main():\n    n = int(input())\n    a = list(map(int, input().split()))\n    print(sum(a))\n    print(max(a))\n"
    "if __name__ == '__main__':\n    main()\n",
    "main_with_exit_code": "import sys\ndef main():\n    n = int(input())\n    a = list(map(int, input().split()))\n    print(sum(a))\n"
    "    print(max(a))\n    return 0\nsys.exit(main())\n",
    "exit_builtin": "n = int(input())\na = list(map(int, input().split()))\n" + _END + "exit()\n",
    "quit_builtin": "n = int(input())\na = list(map(int, input().split()))\n" + _END + "quit(0)\n",
    "raise_system_exit": "n = int(input())\na = list(map(int, input().split()))\n" + _END + "raise SystemExit\n",
    "os_exit_after_flush": "import os, sys\nn = int(input())\na = list(map(int, input().split()))\n"
    + _END
    + "sys.stdout.flush()\nos._exit(0)\n",
    "global_statement": "total = 0\ndef add(x):\n    global total\n    total += x\nn = int(input())\na = list(map(int, input().split()))\n"
    "for x in a:\n    add(x)\nprint(total)\nprint(max(a))\n",
    "nonlocal_statement": "def solve():\n    total = 0\n    def add(x):\n        nonlocal total\n        total += x\n    n = int(input())\n"
    "    a = list(map(int, input().split()))\n    for x in a: add(x)\n    print(total)\n    print(max(a))\nsolve()\n",
    "future_import": "from __future__ import annotations\nfrom __future__ import division\ndef f(a: list[int]) -> int: return sum(a)\n"
    "n = int(input())\na = list(map(int, input().split()))\nprint(f(a))\nprint(max(a))\n",
    "fast_io_template": """
import os, sys
from io import BytesIO, IOBase
BUFSIZE = 8192
class FastIO(IOBase):
    newlines = 0
    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
        self.write = self.buffer.write if self.writable else None
    def read(self):
        while True:
            b = os.read(self._fd, max(os.fstat(self._fd).st_size, BUFSIZE))
            if not b:
                break
            ptr = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)
        self.newlines = 0
        return self.buffer.read()
    def readline(self):
        while self.newlines == 0:
            b = os.read(self._fd, max(os.fstat(self._fd).st_size, BUFSIZE))
            self.newlines = b.count(b"\\n") + (not b)
            ptr = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)
        self.newlines -= 1
        return self.buffer.readline()
    def flush(self):
        if self.writable:
            os.write(self._fd, self.buffer.getvalue())
            self.buffer.truncate(0), self.buffer.seek(0)
class IOWrapper(IOBase):
    def __init__(self, file):
        self.buffer = FastIO(file)
        self.flush = self.buffer.flush
        self.writable = self.buffer.writable
        self.write = lambda s: self.buffer.write(s.encode("ascii"))
        self.read = lambda: self.buffer.read().decode("ascii")
        self.readline = lambda: self.buffer.readline().decode("ascii")
sys.stdin, sys.stdout = IOWrapper(sys.stdin), IOWrapper(sys.stdout)
input = lambda: sys.stdin.readline().rstrip("\\r\\n")
n = int(input())
a = list(map(int, input().split()))
print(sum(a))
print(max(a))
""",
    "exit_handler_output": "import atexit, io, sys\nout = io.StringIO()\natexit.register(lambda: sys.__stdout__.write(out.getvalue()))\n"
    "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), file=out)\nprint(max(a), file=out)\n",
    "thread_with_large_stack": "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**26)\n"
    "def depth(n): return 0 if n == 0 else 1 + depth(n - 1)\ndef main():\n    depth(50000)\n    n = int(input())\n"
    "    a = list(map(int, input().split()))\n    print(sum(a))\n    print(max(a))\nt = threading.Thread(target=main)\nt.start()\nt.join()\n",
    "thread_not_joined": "import threading\ndef main():\n    n = int(input())\n    a = list(map(int, input().split()))\n    print(sum(a))\n"
    "    print(max(a))\nthreading.Thread(target=main).start()\n",
    "deep_recursion": "import sys\nsys.setrecursionlimit(300000)\ndef total(a, i):\n    return 0 if i == len(a) else a[i] + total(a, i + 1)\n"
    "def depth(n): return 0 if n == 0 else 1 + depth(n - 1)\ndepth(100000)\nn = int(input())\na = list(map(int, input().split()))\n"
    "print(total(a, 0))\nprint(max(a))\n",
    "cached_recursion": "import sys\nfrom functools import lru_cache\nsys.setrecursionlimit(10**6)\n@lru_cache(None)\n"
    "def depth(n): return 0 if n == 0 else 1 + depth(n - 1)\ndepth(3000)\nn = int(input())\na = list(map(int, input().split()))\n"
    + _END,
    "set_stack_limit": "import resource, sys\nresource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
    "n = int(input())\na = list(map(int, input().split()))\n" + _END,
    "star_import": "from math import *\nfrom collections import *\nfrom itertools import *\nn = int(input())\n"
    "a = deque(map(int, input().split()))\nprint(list(accumulate(a))[-1])\nprint(max(a))\n",
    "heap_and_bisect": "import heapq, bisect\nn = int(input())\na = [int(x) for x in input().split()]\nh = [-x for x in a]\nheapq.heapify(h)\n"
    "s = []\nfor x in a: bisect.insort(s, x)\nprint(sum(s))\nprint(-h[0])\n",
    "counter_and_defaultdict": "from collections import Counter, defaultdict\nn = int(input())\nc = Counter(map(int, input().split()))\n"
    "d = defaultdict(int)\nfor k, v in c.items(): d['s'] += k * v\nprint(d['s'])\nprint(max(c))\n",
    "classes": "class Node:\n    __slots__ = ('value', 'next')\n    def __init__(self, value, next=None):\n        self.value = value\n"
    "        self.next = next\nn = int(input())\nhead = None\nfor x in map(int, input().split()): head = Node(x, head)\nt, m = 0, None\n"
    "while head:\n    t += head.value\n    m = head.value if m is None else max(m, head.value)\n    head = head.next\nprint(t)\nprint(m)\n",
    "dataclass": "from dataclasses import dataclass, field\n@dataclass(order=True)\nclass P:\n    x: int\n    y: int = field(compare=False, default=0)\n"
    "n = int(input())\na = [P(int(x)) for x in input().split()]\nprint(sum(p.x for p in a))\nprint(max(a).x)\n",
    "typing_names": "from typing import List, Optional, Dict\ndef f(a: List[int], b: Optional[int] = None) -> Dict[str, int]:\n"
    "    return {'s': sum(a), 'm': max(a)}\nn = int(input())\nr = f(list(map(int, input().split())))\nprint(r['s'])\nprint(r['m'])\n",
    "walrus_and_match": "n = int(input())\na = list(map(int, input().split()))\nif (s := sum(a)) is not None:\n    match a:\n"
    "        case [x]: print(s); print(x)\n        case [*xs]: print(s); print(max(xs))\n",
    "generator_reader": "import sys\ndef tokens():\n    for line in sys.stdin:\n        yield from line.split()\nt = tokens()\nn = int(next(t))\n"
    "a = [int(next(t)) for _ in range(n)]\n" + _END,
    "exec_of_text": "exec('n = int(input())\\na = list(map(int, input().split()))')\n" + _END,
    "asyncio": "import asyncio\nasync def main():\n    n = int(input())\n    a = list(map(int, input().split()))\n    await asyncio.sleep(0)\n"
    "    print(sum(a))\n    print(max(a))\nasyncio.run(main())\n",
    "numpy": "import numpy as np\nn = int(input())\na = np.array(input().split(), dtype=np.int64)\nprint(a.sum())\nprint(a.max())\n",
    "decimal_and_fraction": "from decimal import Decimal, getcontext\nfrom fractions import Fraction\ngetcontext().prec = 60\nn = int(input())\n"
    "a = [Fraction(x) for x in input().split()]\nprint(sum(a))\nprint(int(Decimal(int(max(a)))))\n",
    "random_and_time": "import random, time\nrandom.seed(time.time())\nn = int(input())\na = list(map(int, input().split()))\nrandom.shuffle(a)\n"
    + _END,
    "temporary_file": "import tempfile\nn = int(input())\na = list(map(int, input().split()))\nwith tempfile.TemporaryFile('w+') as f:\n"
    "    f.write(str(sum(a)))\n    f.seek(0)\n    print(f.read())\nprint(max(a))\n",
    "standard_error_output": "import sys\nn = int(input())\na = list(map(int, input().split()))\nprint('debug', a, file=sys.stderr)\n"
    + _END,
    "trailing_spaces": "n = int(input())\na = list(map(int, input().split()))\nprint(sum(a), '')\nprint(max(a), '  ')\nprint()\n",
    "windows_line_ends": "n = int(input())\r\na = list(map(int, input().split()))\r\nprint(sum(a))\r\nprint(max(a))\r\n",
    "tabs_and_semicolons": "n = int(input()); a = list(map(int, input().split()))\nif 1:\n\tprint(sum(a)); print(max(a))\n",
    "unicode_names": "größe = int(input())\nβ = list(map(int, input().split()))\nprint(sum(β))\nprint(max(β))\n",
    "coding_comment": "# -*- coding: latin-1 -*-\nn = int(input())\na = list(map(int, input().split()))\n" + _END,
    "byte_order_mark": "\ufeffn = int(input())\na = list(map(int, input().split()))\n" + _END,
    "monkey_patched_print": "import builtins, functools\nbuiltins.print = functools.partial(print, flush=True)\nn = int(input())\n"
    "a = list(map(int, input().split()))\n" + _END,
    "destructor_output": "n = int(input())\na = list(map(int, input().split()))\nclass A:\n    def __del__(self):\n        print(sum(a))\n"
    "        print(max(a))\nx = A()\ndel x\n",
    "pickle_of_own_class": "import pickle\nclass P:\n    def __init__(self, a): self.a = a\nn = int(input())\n"
    "p = pickle.loads(pickle.dumps(P(list(map(int, input().split())))))\nprint(sum(p.a))\nprint(max(p.a))\n",
    "inspect_own_module": "import sys\nn = int(input())\na = list(map(int, input().split()))\nsys.modules['__main__'].total = sum(a)\n"
    "print(total)\nprint(max(a))\n",
    "subclassed_dict_with_missing": "class D(dict):\n    def __missing__(self, k): return 0\nd = D()\nn = int(input())\n"
    "a = list(map(int, input().split()))\nfor x in a: d['s'] += x\nprint(d['s'])\nprint(max(a))\n",
    "signal_alarm_guard": "import signal\nsignal.alarm(100)\nn = int(input())\na = list(map(int, input().split()))\n"
    + _END,
    **more_fidelity.STDIO,
    **third_fidelity.STDIO,
    "thread_pool": "from concurrent.futures import ThreadPoolExecutor\nn = int(input())\na = list(map(int, input().split()))\n"
    "with ThreadPoolExecutor(2) as pool:\n    s, m = pool.map(lambda f: f(a), (sum, max))\nprint(s)\nprint(m)\n",
}

CALL_CASES = ((([3, 1, 2],), [6, 3]), (([-5],), [-5, -5]))
CALL: dict[str, str] = {
    "plain_function": "def solve(a): return [sum(a), max(a)]\n",
    "solution_class": "class Solution:\n    def solve(self, a): return [sum(a), max(a)]\n",
    "annotated_solution": "from typing import List\nclass Solution:\n    def solve(self, a: List[int]) -> List[int]:\n        return [sum(a), max(a)]\n",
    "typing_at_class_level": "from typing import *\nclass Solution:\n    memo: Dict[int, int] = {}\n"
    "    def solve(self, a: List[int]) -> List[int]:\n        self.memo[0] = sum(a)\n        return [self.memo[0], max(a)]\n",
    "tuple_result": "def solve(a): return sum(a), max(a)\n",
    "lambda_function": "solve = lambda a: [sum(a), max(a)]\n",
    "cached_method": "from functools import cache\nclass Solution:\n    @cache\n    def f(self, t): return sum(t)\n"
    "    def solve(self, a): return [self.f(tuple(a)), max(a)]\n",
    "numpy_scalars": "import numpy as np\ndef solve(a):\n    x = np.array(a)\n    return [x.sum(), x.max()]\n",
    "int_enum": "from enum import IntEnum\nclass E(IntEnum):\n    X = 3\ndef solve(a): return [sum(a), E.X if max(a) == 3 else max(a)]\n",
    "float_equal_to_int": "def solve(a): return [float(sum(a)), max(a)]\n",
    "prints_and_returns": "def solve(a):\n    print('debug')\n    return [sum(a), max(a)]\n",
    "main_guard_that_reads": "def solve(a): return [sum(a), max(a)]\nif __name__ == '__main__':\n    print(solve([int(input())]))\n",
    "pickled_class": "import pickle\nclass P:\n    def __init__(self, a): self.a = a\ndef solve(a):\n    p = pickle.loads(pickle.dumps(P(a)))\n    return [sum(p.a), max(p.a)]\n",
    "main_guard": "def solve(a): return [sum(a), max(a)]\nif __name__ == '__main__':\n    print(solve([1]))\n",
    "changes_argument": "def solve(a):\n    a.sort()\n    return [sum(a), a[-1]]\n",
    "ordered_dict_result": "from collections import OrderedDict\ndef solve(a): return list(OrderedDict(s=sum(a), m=max(a)).values())\n",
}
