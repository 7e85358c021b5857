"""The system calls that the standard library does not offer, through ctypes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial

_libc = ctypes.CDLL(None, use_errno=True)
_quick_libc = ctypes.PyDLL(None)  # calls keep the interpreter lock, which a forked child holds too, and no error number

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MADV_COLLAPSE = 25
_MAP_PRIVATE_ANONYMOUS = 0x22
_MREMAP_TO = 3  # MREMAP_MAYMOVE | MREMAP_FIXED
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_SECUREBITS = 1, 4, 24, 28
PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_SET_THP_DISABLE = 38, 36, 41
FIRST_OUT_OF_THE_WAY = 64  # of the descriptors
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")  # struct sched_attr, its first version
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_SECBITS = 0b101111  # no root privileges, no setuid fix-ups, no keeping of capabilities; the first two locked


def check(result: int, what: str) -> int:
    """The result, or OSError naming the call."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """A raw system call; integers are passed as 64-bit. Raises OSError."""
    prepared = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return check(_libc.syscall(ctypes.c_long(number), *prepared), f"syscall {number}")


def prepared(function: str, *arguments: object) -> Callable[[], int]:
    """A call of a function of the C library, to be made later and often: arguments are as those of `syscall`, and
    converted now. It returns -1 for an error.

    In a process that shares its memory with a child, it copies few pages: the objects of a call lie together.
    """
    return partial(_quick_libc[function], *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))


def address_in(buffer: bytearray, offset: int = 0) -> object:
    """For a call that writes into a buffer, which must live as long."""
    return (ctypes.c_char * (len(buffer) - offset)).from_buffer(buffer, offset)


def kill_all() -> bool:
    """Send SIGKILL to every process in sight but this one and the first; whether there was any."""
    return _libc.kill(-1, 9) == 0


def current_cpu() -> int:
    """The processor that this code runs on; -1 where the kernel does not say."""
    return _libc.sched_getcpu()


def set_turn(pid: int, milliseconds: int) -> None:
    """How long a process runs before another of equal priority may, if that is for long; its share stays the same.

    One with shorter turns that wakes up need not wait for the end of a longer one. Raises OSError; Linux before 6.12
    does nothing.
    """
    number = {"x86_64": 314, "aarch64": 274}.get(os.uname().machine, -1)
    nice = os.getpriority(os.PRIO_PROCESS, pid)
    attributes = _SCHED_ATTR.pack(_SCHED_ATTR.size, 0, 0, nice, 0, milliseconds * 1_000_000, 0, 0)  # SCHED_OTHER
    syscall(number, pid, ctypes.c_char_p(attributes), 0)


def out_of_the_way(descriptor: int) -> int:
    """The same file under a number that leaves those a candidate has."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_OUT_OF_THE_WAY)
    finally:
        os.close(descriptor)


def map_memory(size: int) -> int:
    """The address of that many fresh bytes."""
    protection = PROT_READ | PROT_WRITE
    return _address("mmap", None, ctypes.c_size_t(size), protection, _MAP_PRIVATE_ANONYMOUS, -1, ctypes.c_long(0))


def unmap_memory(address: int, size: int) -> None:
    check(_libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size)), "munmap")


def advise_memory(address: int, size: int, advice: int) -> None:
    check(_libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), advice), f"madvise {advice}")


def protect_memory(address: int, size: int, protection: int) -> None:
    check(_libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), protection), "mprotect")


def move_memory(source: int, size: int, target: int) -> None:
    """Put the pages at `source` in the place of those at `target`, which are let go of."""
    length = ctypes.c_size_t(size)
    _address("mremap", ctypes.c_void_p(source), length, length, _MREMAP_TO, ctypes.c_void_p(target))


def _address(name: str, *arguments: object) -> int:
    """What a call that returns an address returns; raises OSError."""
    function = _libc[name]  # an object of its own, so that its type of result is nobody else's
    function.restype = ctypes.c_void_p
    result = function(*arguments)
    return check(-1, name) if result in (None, ctypes.c_void_p(-1).value) else int(result)


def unshare(flags: int) -> None:
    check(_libc.unshare(flags), "unshare")


def prctl(option: int, argument: int) -> None:
    check(_libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0), f"prctl {option}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    name = kind.encode() if kind else None
    result = _libc.mount(source.encode(), target.encode(), name, ctypes.c_ulong(flags), data.encode())
    check(result, f"mount {kind or 'bind'} on {target}")


def set_host_name(name: str) -> None:
    check(_libc.sethostname(name.encode(), len(name)), "sethostname")


def pivot_into(folder: str) -> None:
    """Make `folder` the root and let go of the old one."""
    number = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
    os.chdir(folder)
    syscall(number, ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    check(_libc.umount2(b".", MNT_DETACH), "umount of the old root")
    os.chdir("/")


def renounce_new_capabilities() -> None:
    """Make sure that no program started later gains a capability."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # no such capability, or not allowed to: NO_NEW_PRIVS makes up for it
            break
    with suppress(OSError):  # needs CAP_SETPCAP; NO_NEW_PRIVS holds without it
        prctl(PR_SET_SECUREBITS, _SECBITS)


def drop_capabilities() -> None:
    """Give up every capability, for good."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    check(_libc.capset(header, nothing), "capset")
    prctl(PR_SET_NO_NEW_PRIVS, 1)
