"""Seccomp filters: an allow-list of system calls for the whole jail, and a thin second filter for each candidate."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

from . import libc
from .syscalls import ARCHITECTURES, Architecture

_LD_ABS, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
# offsets in struct seccomp_data, little-endian low halves
_NUMBER, _ARCH, _ARGUMENT_0, _ARGUMENT_1, _ARGUMENT_2, _ARGUMENT_3 = 0, 4, 16, 24, 32, 40
_X32_BIT = 0x40000000
_CLONE_VFORK, _CLONE_THREAD = 0x00004000, 0x00010000
_SET_MODE_FILTER = 1
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 36, 37, 38, 1030, 1032, 1034)  # no F_SETOWN, F_SETSIG, F_SETPIPE_SZ
_PRCTLS = (3, 15, 16, 0x53564D41)  # GET_DUMPABLE, SET_NAME, GET_NAME, SET_VMA
_AF_UNIX = 1
_SOCKET_OPTIONS = (3, 4, 7, 8, 38, 39)  # SO_TYPE SO_ERROR SO_SNDBUF SO_RCVBUF SO_PROTOCOL SO_DOMAIN: no peer, no cookie
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20

_OWN_PID = 0xFFFFFF01  # stands for the process id in a filter; no process id is that large
_INSTRUCTION = struct.Struct("=HBBI")

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def _statement(code: int, operand: int) -> Instruction:
    return (code, 0, 0, operand)


def _deny(number: int) -> list[Instruction]:
    return [_statement(_RET, _ERRNO | number)]


_PERMIT = [_statement(_RET, _ALLOW)]


def _argument_in(offset: int, values: Sequence[int], otherwise: int) -> list[Instruction]:
    """Allow if the low half of an argument is one of `values`, else fail with errno `otherwise`."""
    code = [_statement(_LD_ABS, offset)]
    for index, value in enumerate(values):
        code.append((_JEQ, len(values) - index, 0, value))
    return [*code, *_deny(otherwise), *_PERMIT]


def _argument_not(offset: int, value: int, refusal: int) -> list[Instruction]:
    """Fail with errno `refusal` if the low half of an argument is `value`, else allow."""
    return [_statement(_LD_ABS, offset), (_JEQ, 0, 1, value), *_deny(refusal), *_PERMIT]


def _one_process_but_the_first() -> list[Instruction]:
    """No group of processes either: these are 0 and negative numbers."""
    tests = [_statement(_LD_ABS, _ARGUMENT_0), (_JGE, 1, 0, 0x80000000), (_JGE, 1, 0, 2)]
    return [*tests, *_deny(errno.EPERM), *_PERMIT]


def _threads_only() -> list[Instruction]:
    """No process, and no thread whose maker waits for it in a state that no signal ends."""
    flags = [_statement(_LD_ABS, _ARGUMENT_0), (_JSET, 1, 0, _CLONE_VFORK), (_JSET, 1, 0, _CLONE_THREAD)]
    return [*flags, *_deny(errno.EPERM), *_PERMIT]


def _no_shared_memory() -> list[Instruction]:
    """No memory that is shared and has no file: what of it is unmapped is kept, and no limit counts it."""
    flags = [_statement(_LD_ABS, _ARGUMENT_3), (_JSET, 0, 2, _MAP_ANONYMOUS), (_JSET, 0, 1, _MAP_SHARED)]
    return [*flags, *_deny(errno.EPERM), *_PERMIT]


def architecture() -> Architecture | None:
    """The table for this machine; None where there is none."""
    return ARCHITECTURES.get(os.uname().machine)


class Filter:
    """A program for the kernel, packed once; the caller's process id is written into it when it is installed."""

    def __init__(self, code: Sequence[Instruction]) -> None:
        self.code = tuple(code)
        self._packed = bytearray(b"".join(_INSTRUCTION.pack(*instruction) for instruction in code))
        self._words = memoryview(self._packed).cast("I")  # two to an instruction, the operand second
        self._own_pid_at = [2 * index + 1 for index, line in enumerate(code) if line[3] == _OWN_PID]
        self._buffer = (ctypes.c_char * len(self._packed)).from_buffer(self._packed)
        program = struct.pack("=H6xQ", len(self.code), ctypes.addressof(self._buffer))
        self._program = ctypes.create_string_buffer(program, len(program))
        table = architecture()
        self._call = (table.number["seccomp"] if table else -1, _SET_MODE_FILTER, 0, self._program)
        self.load = libc.prepared("syscall", *self._call)

    @property
    def needs_aim(self) -> bool:
        """Whether it holds a process id."""
        return bool(self._own_pid_at)

    def aim(self, own_pid: int) -> None:
        """Write the process id of the process that will `load` it."""
        for position in self._own_pid_at:
            self._words[position] = own_pid

    def install(self, own_pid: int = 0) -> None:
        """Put the filter on this process, for good. Needs NO_NEW_PRIVS. Raises OSError."""
        self.aim(own_pid)
        libc.syscall(*self._call)


def _start(table: Architecture) -> list[Instruction]:
    """Only this architecture's calls; the number of the call is loaded."""
    return [
        _statement(_LD_ABS, _ARCH),
        (_JEQ, 1, 0, table.audit),
        _statement(_RET, _KILL_PROCESS),
        _statement(_LD_ABS, _NUMBER),
        (_JGE, 0, 1, _X32_BIT),
        _statement(_RET, _KILL_PROCESS),
    ]


def _chain(table: Architecture, actions: dict[int, list[Instruction]], default: list[Instruction]) -> Filter:
    """Look the call up one after another: short, for the kernel compiles the filter for each candidate."""
    blocks, begins, length = list[Instruction](), dict[int, int](), len(default)
    for action in actions.values():
        if id(action) not in begins:
            begins[id(action)] = length + len(blocks)
            blocks += action
    tests = [
        (_JEQ, len(actions) - 1 - index + begins[id(action)], 0, number)
        for index, (number, action) in enumerate(actions.items())
    ]
    return Filter([*_start(table), *tests, *default, *blocks])


def _program(table: Architecture, actions: dict[int, list[Instruction]], default: list[Instruction]) -> Filter:
    """Look the call up by binary search (the kernel walks the filter for every call when it is installed)."""
    bounds: list[tuple[int, list[Instruction]]] = [(0, default)]
    for number in sorted(actions):
        if bounds[-1][0] == number:
            bounds.pop()
        if not bounds or bounds[-1][1] is not actions[number]:
            bounds.append((number, actions[number]))
        bounds.append((number + 1, default))
    return Filter([*_start(table), *_search(_merged(bounds))])


def _merged(bounds: list[tuple[int, list[Instruction]]]) -> list[tuple[int, list[Instruction]]]:
    """Drop empty ranges and join neighbours with the same action."""
    kept: list[tuple[int, list[Instruction]]] = []
    for index, (first, action) in enumerate(bounds):
        if index + 1 < len(bounds) and bounds[index + 1][0] == first:
            continue
        if kept and kept[-1][1] is action:
            continue
        kept.append((first, action))
    return kept


def _search(ranges: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _search(ranges[:middle]), _search(ranges[middle:])
    if len(low) > 255:  # a conditional jump reaches 255; a longer one goes over an unconditional one
        return [(_JGE, 0, 1, ranges[middle][0]), (0x05, 0, 0, len(low)), *low, *high]
    return [(_JGE, len(low), 0, ranges[middle][0]), *low, *high]


def jail_filter() -> Filter:
    """What the zygote and all it starts may call at all: an allow-list; anything else fails with EPERM."""
    table = architecture()
    if table is None:
        raise OSError(errno.ENOSYS, f"no seccomp table for {os.uname().machine}")
    actions = {table.number[name]: _PERMIT for name in table.allowed}
    actions[table.number["clone3"]] = _deny(errno.ENOSYS)  # its arguments cannot be seen; callers fall back to clone
    actions[table.number["ioctl"]] = _argument_in(_ARGUMENT_1, _IOCTLS, errno.ENOTTY)
    actions[table.number["fcntl"]] = _argument_in(_ARGUMENT_1, _FCNTLS, errno.EPERM)
    actions[table.number["getsockopt"]] = _argument_in(_ARGUMENT_2, _SOCKET_OPTIONS, errno.EPERM)
    actions[table.number["mmap"]] = _no_shared_memory()
    actions[table.number["socketpair"]] = _argument_in(_ARGUMENT_0, (_AF_UNIX,), errno.EPERM)
    return _program(table, actions, _deny(errno.EPERM))


def candidate_filter(in_namespace: bool) -> Filter:
    """What a candidate may no longer do: start processes, signal or limit others, change its own jail.

    In a process namespace of its own there is nobody else but the first process, which is the zygote.
    """
    table = architecture()
    if table is None:
        raise OSError(errno.ENOSYS, f"no seccomp table for {os.uname().machine}")
    refuse = _deny(errno.EPERM)
    actions = {table.number[name]: refuse for name in table.zygote_only if name in table.number}
    actions[table.number["clone"]] = _threads_only()
    actions[table.number["prctl"]] = _argument_in(_ARGUMENT_0, _PRCTLS, errno.EPERM)
    if in_namespace:
        one = _one_process_but_the_first()
        actions |= {table.number["kill"]: one, table.number["tgkill"]: one}
        actions[table.number["prlimit64"]] = _argument_not(_ARGUMENT_0, 1, errno.EPERM)
    else:
        own = _argument_in(_ARGUMENT_0, (_OWN_PID,), errno.EPERM)
        actions |= {table.number["kill"]: own, table.number["tgkill"]: own}
        actions[table.number["prlimit64"]] = _argument_in(_ARGUMENT_0, (0, _OWN_PID), errno.EPERM)
    return _chain(table, actions, _PERMIT)
