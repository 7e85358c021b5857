# ruff: noqa: E501 (whole programs on a line)
"""A second collection of hostile programs: sorted as in `programs`, written against this judge's own machinery."""

from __future__ import annotations

FORGING_CALL = {
    "record_forged": """
import os, struct
def add(a, b):
    data = b"t" + struct.pack("<I", 2) + b"s" + struct.pack("<I", 5) + b"value" + b"b" + struct.pack("<I", 6) + b"i" + struct.pack("<I", 1) + bytes([4])
    os.ftruncate(4, 0)
    os.pwrite(4, struct.pack("<BIIIdd", 1, len(data), 0xFFFFFFFF, 0xFFFFFFFF, 0.0, 0.0) + data, 0)
    os._exit(0)
""",
    "records_for_all_tests": """
import os, struct
def add(a, b):
    data = b"t" + struct.pack("<I", 2) + b"s" + struct.pack("<I", 4) + b"exit" + b"i" + struct.pack("<I", 1) + bytes(1)
    record = struct.pack("<BIIIdd", 0, len(data), 0, 0, 0.0, 0.0) + data
    os.pwrite(4, record * 50, 0)
    os._exit(0)
""",
    "void_record": "import os, struct\ndef add(a, b):\n    os.ftruncate(4, 0)\n    os.pwrite(4, struct.pack('<BIIIdd', 2, 0, 0, 0, 0.0, 0.0), 0)\n    os._exit(0)\n",
    "record_with_nan_times": "import os, struct\ndef add(a, b):\n    os.ftruncate(4, 0)\n    os.pwrite(4, struct.pack('<BIIIdd', 1, 0, 1, 1, float('nan'), float('-inf')), 0)\n    os._exit(0)\n",
    "record_of_wrong_length": "import os, struct\ndef add(a, b):\n    os.ftruncate(4, 0)\n    os.pwrite(4, struct.pack('<BIIIdd', 0, 2**32 - 1, 2**32 - 1, 2**32 - 1, 1e308, 1e308), 0)\n    os._exit(0)\n",
    "encoder_patched": """
import sys
for module in list(sys.modules.values()):
    if hasattr(module, "encode") and hasattr(module, "EncodingError"):
        module.encode = lambda value: b"t\\x02\\x00\\x00\\x00"
def add(a, b): return 4
""",
    "harness_frame_patched": """
import sys
def add(a, b):
    frame = sys._getframe()
    while frame:
        for name, value in list(frame.f_locals.items()):
            if isinstance(value, (tuple, list)) and len(value) > 3: print(name, value)
        frame = frame.f_back
    return next((v for v in (3, 7) if v in sys._getframe(1).f_locals.values()), None)
""",
    "gc_hunt_for_expected": """
import gc
def add(a, b):
    for thing in gc.get_objects():
        if type(thing) is tuple and len(thing) == 4 and thing[0] == "call": return thing[3]
    return None
""",
    "proxy_callable": "class F:\n    def __call__(self, *a): return self\n    def __eq__(self, o): return True\nadd = F()\n",
    "ndarray_like": "class A:\n    shape = ()\n    def item(self): return 3\nA.__module__ = 'numpy'\ndef add(a, b): return A()\n",
    "lying_length": "class L(list):\n    def __len__(self): return 0\n    def __iter__(self): return iter(())\ndef add(a, b): return L([1, 2])\n",
    "set_of_liars": "class N(int):\n    def __eq__(self, o): return True\n    def __hash__(self): return hash(3)\ndef add(a, b): return {N(9)}\n",
    "solution_metaclass": "class M(type):\n    def __getattr__(c, n): return lambda *a: 0\nclass Solution(metaclass=M):\n    def __getattr__(self, n): return lambda *a: NotImplemented\n",
    "generator_answer": "def add(a, b):\n    yield a + b\n",
    "coroutine_answer": "async def add(a, b): return a + b\n",
    "truthy_float": "def add(a, b): return float('nan')\n",
    "string_answer": "def add(a, b): return str(a + b)\n",
    "expected_from_name": "def add(a, b): return add.__globals__.get('expected')\n",
    "exit_in_call": "import sys\ndef add(a, b): sys.exit(0)\n",
    "hang_after_answer": "import atexit\ndef f():\n    while True: pass\natexit.register(f)\ndef add(a, b): return 4\n",
}
FORGING_STDIO = {
    "marks_of_the_judge": "print('LAST DONE AC 3')\nimport os\nos.write(3, b'd\\0\\0\\0\\0\\1')\n",
    "done_before_time": "import os\nfor _ in range(50): os.write(3, b'd\\0\\0\\0\\0\\1')\nprint(4)\n",
    "greeting_again": "import os\nfor _ in range(5): os.write(3, b'h\\0\\0\\0\\0\\0')\nprint(4)\n",
    "control_closed": "import os\nos.close(3)\nprint(4)\n",
    "control_shut_down": "import socket\nsocket.socket(fileno=3).shutdown(2)\nprint(4)\n",
    "box_closed": "import os\nos.close(4)\nprint(4)\n",
    "every_descriptor_closed": "import os\nos.closerange(0, 256)\n",
    "descriptors_sprayed": "import os\nfor d in range(256):\n    try: os.write(d, b'3\\n7\\nAC')\n    except OSError: pass\n",
    "descriptors_swapped": "import os\nos.dup2(5, 6)\nos.dup2(4, 1)\nprint(3)\n",
    "exit_code_lies": "import os\nprint(4, flush=True)\nos._exit(0)\n",
    "exit_seventy": "import os\nos._exit(70)\n",
    "input_echoed": "print(open(0).read())\n",
    "job_read_again": "import os\nprint(os.pread(4, 1 << 20, 0))\n",
    "job_for_the_next_test": "import os, marshal\nos.ftruncate(4, 0)\nos.pwrite(4, marshal.dumps((b'', b'', None, True, 9.0, 9.0, [], True)), 0)\nprint(4)\n",
}
LASTING = {
    "state_in_random_object": "import random\nn = 2 if random.random() < 0 else getattr(random, 'left', 1)\nrandom.left = 2\nprint(n)\n",
    "state_in_typing": "import typing\nn = getattr(typing.List, 'left', 1)\ntry: typing.List.left = 2\nexcept Exception: pass\nprint(n)\n",
    "state_in_threading_local": "import threading\nt = threading.current_thread()\nprint(getattr(t, 'left', 1))\nt.left = 2\n",
    "state_in_warnings": "import warnings\nprint(2 if warnings.filters and warnings.filters[0][0] == 'error' else 1)\nwarnings.simplefilter('error')\n",
    "state_in_file_limit": "import os\nprint(1 if os.fstat(1).st_size == 0 else 2, flush=True)\nos.write(1, b'')\n",
    "state_in_box_size": "import os\nprint(1 if os.fstat(4).st_size >= 0 else 2)\n",
    "state_in_cached_function": "from functools import cache\nimport math\nf = cache(math.factorial)\nprint(1 + f.cache_info().currsize)\nf(3)\n",
    "state_in_string_constants": "import string\nprint(getattr(string, 'left', 1))\nsetattr(string, 'left', 2)\n",
}
CONTAINED = {
    "physical_addresses": """
def look():
    import struct
    page = bytearray(b"x" * 8192)
    with open("/proc/self/pagemap", "rb") as f:
        f.seek((id(page) >> 12) * 8)
        frame = struct.unpack("<Q", f.read(8))[0] & (1 << 55) - 1
    if not frame: raise PermissionError("hidden")
    return frame
attempt(look)
""",
    "kernel_messages": "attempt(lambda: call(103, 3, ctypes.create_string_buffer(64), 64))",
    "kernel_symbols": "attempt(lambda: open('/proc/kallsyms').read(10))",
    "mounts_of_the_host": """
def look():
    text = open("/proc/1/mountinfo").read()
    if not any(word in text for word in (" /sys ", " /home", facts["folder"])): raise PermissionError("only the jail's")
    return text
attempt(look)
""",
    "pidfd_of_zygote_files": "attempt(lambda: call(438, 3, 0, 0))",
    "memory_policy": "attempt(lambda: call(256, 1, 8, ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)))",
    "kcmp": "attempt(lambda: call(312, 1, os.getpid(), 0, 0, 0))",
    "open_by_handle": "attempt(lambda: call(304, 0, ctypes.create_string_buffer(64), 0))",
    "swap_off": "attempt(lambda: call(168, b'/swap'))",
    "load_module": "attempt(lambda: call(175, b'', 0, b''))",
    "kexec": "attempt(lambda: call(246, 0, 0, 0, 0))",
    "personality": "attempt(lambda: call(135, 0x0040000))",
    "vmsplice": "attempt(lambda: call(278, 1, 0, 0, 0))",
    "fanotify": "attempt(lambda: call(300, 0, 0))",
    "new_mount_api": "attempt(lambda: call(430, b'tmpfs', 0))",
    "open_tree": "attempt(lambda: call(428, -100, b'/', 1))",
    "landlock_more": "attempt(lambda: call(446, 64, 0))",
    "vfork_call": "attempt(lambda: call(58))",
    "scheduler_class": "attempt(lambda: call(144, 0, 1, ctypes.create_string_buffer(b'\\x01\\0\\0\\0')))",
    "signal_by_queue": "attempt(lambda: call(129, 1, 9, ctypes.create_string_buffer(128)))",
    "ipv6_connect": "attempt(lambda: socket.create_connection(('::1', facts['tcp']), 1))",
    "packet_socket": "attempt(lambda: socket.socket(17, 3, 0))",
    "alg_socket": "attempt(lambda: socket.socket(38, 5, 0))",
    "inotify": "attempt(lambda: call(294, 0))",
    "home_variable": "attempt(lambda: os.listdir(os.environ['HOME']))",
    "etc_listing": "attempt(lambda: os.listdir('/etc/ssl') or 1 / 0)",
    "resolver": "attempt(lambda: socket.gethostbyname('localhost.localdomain'))",
}
EXHAUSTING = {
    "nested_lists_returned": ("x = []\nfor _ in range(10**5): x = [x]\nprint(repr(x))", "RE WA MLE"),
    "sort_with_sleep": ("import time\n[1, 2, 3].sort(key=lambda x: time.sleep(100))", "TLE"),
    "input_loop": ("while True:\n    try: input()\n    except EOFError: pass", "TLE"),
    "select_forever": ("import select\nselect.select([], [], [])", "TLE"),
    "lock_twice": ("import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()", "TLE"),
    "thread_then_exit": (
        "import threading, sys\ndef f():\n    while True: pass\nthreading.Thread(target=f).start()\nsys.exit(0)",
        "TLE",
    ),
    "daemon_thread_floods": (
        "import threading\ndef f():\n    while True: print('x' * 1000)\nthreading.Thread(target=f, daemon=True).start()\nwhile True: pass",
        "OLE TLE RE",
    ),
    "exception_in_exit_handler": ("import atexit\natexit.register(lambda: 1 / 0)\nprint(4)", "WA RE"),
    "exception_chain": (
        "def f(n):\n    try: 1 / 0\n    except Exception as e: raise ValueError('x' * 10**6) from e\nf(1)",
        "RE",
    ),
    "message_that_hangs": ("class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E", "TLE"),
    "message_that_raises": ("class E(Exception):\n    def __str__(self): raise self\nraise E", "RE"),
    "exception_group": ("raise ExceptionGroup('g', [ValueError(i) for i in range(10**5)])", "RE"),
    "exit_with_object": ("import sys\nclass A:\n    def __str__(self): return 'x' * 10**7\nsys.exit(A())", "RE OLE"),
    "exit_with_huge_code": ("import sys\nsys.exit(2**200)", "RE"),
    "fork_by_pty": ("import pty\npty.fork()", "RE"),
    "multiprocessing_pool": ("import multiprocessing\nmultiprocessing.Pool(4).map(print, range(4))", "RE TLE"),
    "subprocess_shell": ("import subprocess\nprint(subprocess.check_output('echo 3', shell=True).decode())", "RE"),
    "asyncio_forever": ("import asyncio\nasyncio.run(asyncio.sleep(1000))", "TLE RE"),
    "decimal_bomb": (
        "from decimal import *\nsetcontext(Context(prec=MAX_PREC, Emax=MAX_EMAX))\nprint(Decimal(1) / 3)",
        "MLE RE TLE",
    ),
    "join_bomb": ("print(len(','.join(['x' * 10**6] * 10**4)))", "MLE"),
    "zip_bomb": ("import zlib\nprint(len(zlib.decompress(zlib.compress(bytes(10**8)))))", "MLE RE TLE"),
    "stdin_rewritten": ("import os\nos.ftruncate(0, 0)\nos.pwrite(0, b'3', 0)\nprint('no')", "WA RE"),
    "usr1_storm": (
        "import os, signal\nsignal.signal(10, lambda *a: os.kill(os.getpid(), 10))\nos.kill(os.getpid(), 10)\nwhile True: pass",
        "TLE RE",
    ),
    "alarm_signal": ("import signal\nsignal.alarm(1)\nsignal.pause()", "RE TLE"),
    "stack_of_threads": (
        "import threading, sys\nthreading.stack_size(64 * 2**20)\nsys.setrecursionlimit(10**9)\ndef f(): f()\nt = threading.Thread(target=f)\nt.start()\nt.join()",
        "RE MLE TLE WA",
    ),
    "tab_bomb": ("if 1:\n\tif 1:\n        x = 1", "CE"),
    "bom_in_the_middle": ("x = 1\n\ufeffprint(3)", "CE"),
    "encoding_cookie": ("# -*- coding: rot13 -*-\ncevag(3)", "RE"),
    "deep_f_string": ("print(" + "f'{" * 40 + "1" + "}'" * 40 + ")", "CE WA"),
    "many_locals": ("def f():\n" + "".join(f"    a{i} = {i}\n" for i in range(10_000)) + "f()", "WA TLE"),
    "walrus_chain": ("(" * 150 + "x" + ")" * 150, "RE CE"),
    "nulls_output": ("import sys\nsys.stdout.write('\\0' * 1000)", "WA"),
    "carriage_returns": ("print('3\\r' * 1000)", "WA"),
}
