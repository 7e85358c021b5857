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
    "shared_memory": "import mmap\nattempt(lambda: call(9,0,1<<20,3,mmap.MAP_SHARED|mmap.MAP_ANONYMOUS,-1,0))\n",
    "shared_memory_validated": "attempt(lambda: call(9,0,1<<20,3,0x23,-1,0))\n",
    "shared_memory_only_read": "attempt(lambda: call(9,0,1<<20,1,0x4021,-1,0))\n",
    "shared_memory_of_a_device": "import mmap\nattempt(lambda: mmap.mmap(os.open('/dev/zero',os.O_RDWR),1<<20))\n",
    "shared_memory_by_name": "from multiprocessing.shared_memory import SharedMemory\nattempt(lambda: SharedMemory(create=True,size=1<<20))\n",
    "memory_file_by_number": "attempt(lambda: call(319,b'x',0))\n",
    "secret_memory": "attempt(lambda: call(447,0))\n",
    "sysv_memory_attached": "attempt(lambda: call(30,0,0,0))\n",
    "huge_pages": "import mmap\nhuge=lambda: sum(int(l.split()[1]) for l in open('/proc/self/smaps') if l.startswith('AnonHuge'))\ndef look():\n    kib=-huge(); m=mmap.mmap(-1,8<<20,34); m.madvise(14); m.write(bytes(8<<20)); kib+=huge()\n    if kib<2048: raise MemoryError(kib)\n    return kib\nattempt(look)\n",
    "descriptor_of_the_supervisor": "attempt(lambda: socket.socket(fileno=os.dup(3)).getsockopt(1,77,4))\n",
    "peer_of_a_socket": "pair=socket.socketpair()\nattempt(lambda: pair[0].getsockopt(1,17,12))\n",
    "descriptor_of_a_peer": "pair=socket.socketpair()\nattempt(lambda: pair[0].getsockopt(1,77,4))\n",
    "number_of_a_socket": "pair=socket.socketpair()\nattempt(lambda: pair[0].getsockopt(1,57,8))\n",
    "packages_of_any_interpreter": "import glob\ndef look():\n    found=[p for top in sys.path for d in (top,os.path.dirname(top)) for p in glob.glob(d+'/python*/*-packages/*.py')+glob.glob(d+'/*-packages/*.py')]\n    if not found: raise FileNotFoundError\n    return [open(p).read() for p in found]\nattempt(look)\n",
    "barrier_in_every_process": "attempt(lambda: call(324,1,0,0))\n",
}
EXHAUSTING = {
    "shared_memory_cut_off": (
        "import mmap\nkeep=[]\nfor k in range(12):\n    m=mmap.mmap(-1,32<<20); m.write(bytes(32<<20)); m.resize(4096); keep.append(m)\nprint(3)\n",
        "RE MLE",
    ),
    "shared_memory_unmapped": (
        "import ctypes\nlibc=ctypes.CDLL(None,use_errno=True)\nlibc.mmap.restype=ctypes.c_void_p\n"
        "for k in range(12):\n    a=libc.mmap(None,ctypes.c_size_t(32<<20),3,0x21,-1,ctypes.c_long(0))\n    ctypes.memset(a,1,32<<20)\n    libc.munmap(ctypes.c_void_p(a+4096),ctypes.c_size_t((32<<20)-4096))\nprint(3)\n",
        "RE MLE",
    ),
    "memory_of_zero_cut_off": (
        "import mmap,os\nf=os.open('/dev/zero',os.O_RDWR)\nkeep=[]\nfor k in range(12):\n    m=mmap.mmap(f,32<<20); m.write(bytes(32<<20)); m.resize(4096); keep.append(m)\nprint(3)\n",
        "RE",
    ),
    "memory_in_scratch": (
        "import mmap\nkeep=[]\nfor k in range(5):\n    f=open(f'/tmp/{k}','w+b'); f.truncate(32<<20)\n    m=mmap.mmap(f.fileno(),32<<20); m.write(bytes(32<<20)); m.close(); keep.append(f)\nprint(3)\n",
        "RE MLE",
    ),
    "private_memory_kept": (
        "import mmap\nkeep=[]\nfor k in range(12):\n    m=mmap.mmap(-1,32<<20,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS); m.write(bytes(32<<20)); keep.append(m)\nprint(3)\n",
        "RE MLE",
    ),
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
