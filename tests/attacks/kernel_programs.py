# ruff: noqa: E501 (whole programs on a line)
"""Hostile programs that use the kernel against the judge: its memory, its waits that no signal ends, its locks."""

from __future__ import annotations

_VFORK = "import ctypes\nlibc=ctypes.CDLL(None)\nstack=ctypes.create_string_buffer(1<<18)\ntop=(ctypes.addressof(stack)+(1<<18))&~15\nlibc.clone.argtypes=[ctypes.c_void_p,ctypes.c_void_p,ctypes.c_int,ctypes.c_void_p]\n"
CONTAINED = {
    "thread_as_vfork": _VFORK
    + "def start():\n    if libc.clone(ctypes.cast(libc.pause,ctypes.c_void_p),top,0x54f00,0)<0: raise OSError('refused')\nattempt(start)\n",
    "large_socket_buffers": "pairs=socket.socketpair()\nattempt(lambda: pairs[0].setsockopt(socket.SOL_SOCKET,socket.SO_SNDBUF,1<<26))\n",
    "large_receive_buffers": "pairs=socket.socketpair()\nattempt(lambda: pairs[0].setsockopt(socket.SOL_SOCKET,socket.SO_RCVBUF,1<<26))\n",
    "large_pipe": "import fcntl\nattempt(lambda: fcntl.fcntl(os.pipe()[1],1031,1<<20))\n",
    "lock_on_the_library": "import fcntl\nattempt(lambda: fcntl.flock(os.open(os.__file__,os.O_RDONLY),fcntl.LOCK_EX|fcntl.LOCK_NB))\n",
    "barrier_in_every_process": "attempt(lambda: call(324,1,0,0))\n",
}
EXHAUSTING = {
    "waits_for_a_vforked_thread": (
        _VFORK + "libc.clone(ctypes.cast(libc.sleep,ctypes.c_void_p),top,0x54f00,1000)\nprint(4)\n",
        "WA",
    ),
    "barriers_without_end": ("import ctypes\ncall=ctypes.CDLL(None).syscall\nwhile True: call(324,1,0,0)\n", "TLE"),
    "full_sockets": (
        "import socket\npairs=[]\ntry:\n    while True:\n        pairs.append(socket.socketpair())\n        for s in pairs[-1]:\n            s.setblocking(False)\n            try:\n                while True: s.send(bytes(100000))\n            except BlockingIOError: pass\nexcept OSError: print(len(pairs))\n",
        "WA TLE",
    ),
}
