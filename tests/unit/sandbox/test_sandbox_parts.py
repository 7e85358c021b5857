"""Small parts of the worker: system call tables and filters, the book of held tests, the scripted sandbox."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import subprocess
from dataclasses import fields

import pytest

from mars2.core.problem import CallTest, Limits, StdioTest, Suite
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.sandbox import ScriptedSandbox, messages
from mars2.sandbox.worker import wire
from mars2.sandbox.worker.jail import libc, seccomp
from mars2.sandbox.worker.jail.syscalls import ARCHITECTURES
from mars2.sandbox.worker.supervisor.clock import Clock
from mars2.sandbox.worker.supervisor.verdicts import Outcome
from mars2.sandbox.worker.wire import HeldTests

_ALLOW = 0x7FFF0000


def run_filter(program: seccomp.Filter, number: int, *arguments: int, audit: int = 0xC000003E) -> int:
    """What the kernel would answer: a small interpreter of the classic BPF instructions the filters use."""
    data = struct.pack("=iIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, operand = program.code[position]
        position += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, operand)[0]
            case 0x15:
                position += if_true if accumulator == operand else if_false
            case 0x35:
                position += if_true if accumulator >= operand else if_false
            case 0x45:
                position += if_true if accumulator & operand else if_false
            case 0x05:
                position += operand
            case 0x06:
                return operand
            case _:
                raise AssertionError(f"unexpected instruction {code:#x}")


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(seccomp, "architecture", lambda: ARCHITECTURES[request.param])
    return request.param


def test_jail_filter_allows_exactly_the_list(machine: str) -> None:
    table = ARCHITECTURES[machine]
    program = seccomp.jail_filter()
    allowed = {table.number[name] for name in table.allowed}
    conditional = {table.number[name] for name in ("ioctl", "fcntl", "socketpair", "clone3", "mmap", "getsockopt")}
    for number in range(500):
        answer = run_filter(program, number, audit=table.audit)
        if number in allowed:
            assert answer == _ALLOW, number
        elif number not in conditional:
            assert answer == 0x50000 | errno.EPERM, number
    assert run_filter(program, table.number["clone3"], audit=table.audit) == 0x50000 | errno.ENOSYS
    assert run_filter(program, table.number["socketpair"], 1, audit=table.audit) == _ALLOW
    assert run_filter(program, table.number["socketpair"], 2, audit=table.audit) == 0x50000 | errno.EPERM
    for command, answer in ((1, _ALLOW), (4, _ALLOW), (8, 0x50001), (10, 0x50001), (15, 0x50001), (1024, 0x50001)):
        assert run_filter(program, table.number["fcntl"], 0, command, audit=table.audit) == answer
    for flags in (0x22, 0x02, 0x01, 0x21, 0x23, 0x4021):
        answer = 0x50001 if flags & 0x20 and flags & 1 else _ALLOW
        assert run_filter(program, table.number["mmap"], 0, 4096, 3, flags, audit=table.audit) == answer
    for option, answer in ((3, _ALLOW), (4, _ALLOW), (17, 0x50001), (57, 0x50001), (77, 0x50001)):
        assert run_filter(program, table.number["getsockopt"], 3, 1, option, audit=table.audit) == answer
    assert run_filter(program, table.number["ioctl"], 0, 0x5401, audit=table.audit) == _ALLOW
    assert run_filter(program, table.number["ioctl"], 0, 0x5412, audit=table.audit) == 0x50000 | errno.ENOTTY


def test_wrong_architecture_is_killed(machine: str) -> None:
    for program in (seccomp.jail_filter(), seccomp.candidate_filter(True), seccomp.candidate_filter(False)):
        assert run_filter(program, 0, audit=0x40000003) == 0x80000000  # 32-bit calls
        assert run_filter(program, 0x40000000, audit=ARCHITECTURES[machine].audit) == 0x80000000  # x32 calls


@pytest.mark.parametrize("in_namespace", [True, False])
def test_candidate_filter_refuses_what_only_the_zygote_needs(machine: str, in_namespace: bool) -> None:
    table = ARCHITECTURES[machine]
    program = seccomp.candidate_filter(in_namespace)
    mine = 4711 if in_namespace else 0xFFFFFF01  # the place of the process id
    refused = 0x50000 | errno.EPERM

    def answer(name: str, *arguments: int) -> int:
        return run_filter(program, table.number[name], *arguments, audit=table.audit)

    assert answer("clone", 17) == refused  # a process
    assert answer("clone", 0x3D0F00) == _ALLOW  # a thread, with glibc's flags
    assert answer("kill", mine, 9) == _ALLOW
    assert answer("kill", 1, 9) == refused
    assert answer("tgkill", mine, mine, 9) == _ALLOW
    assert answer("tgkill", 1, 1, 9) == refused
    assert answer("kill", 0, 9) == refused
    assert answer("kill", 0xFFFFFFFF, 9) == refused
    assert answer("kill", 0xFFFFFFF0, 9) == refused
    for pid in (2, 0x7FFFFFFF):  # in a namespace of its own there is no other process than it and the first
        assert answer("kill", pid, 9) == (_ALLOW if in_namespace else refused)
    assert answer("prlimit64", 0) == _ALLOW
    assert answer("prlimit64", 1) == refused
    assert answer("prctl", 15) == _ALLOW
    assert answer("prctl", 4) == refused
    for name in ("seccomp", "landlock_restrict_self", "setpgid", "utimensat"):
        assert answer(name) == refused
    assert answer("read") == _ALLOW


def test_dangerous_calls_are_in_no_table() -> None:
    dangerous = {
        "chmod",
        "fchmod",
        "fchmodat",
        "socket",
        "connect",
        "execve",
        "ptrace",
        "process_vm_readv",
        "mount",
        "unshare",
        "setns",
        "bpf",
        "memfd_create",
    }
    dangerous |= {
        "io_uring_setup",
        "pidfd_open",
        "userfaultfd",
        "keyctl",
        "perf_event_open",
        "fork",
        "vfork",
        "link",
        "mknod",
    }
    for table in ARCHITECTURES.values():
        assert not dangerous & set(table.number)
        assert len(set(table.number.values())) == len(table.number)


def test_held_tests_are_forgotten_oldest_first() -> None:
    held = HeldTests(most_bytes=10)
    assert held.add(b"a", 4) == []
    assert held.add(b"b", 4) == []
    assert held.add(b"c", 4) == [b"a"]
    assert b"a" not in held
    assert held.add(b"huge", 100) == [b"b", b"c"]
    assert b"huge" in held


def test_long_tests_travel_in_parts() -> None:
    long = "".join(chr(0x41 + i % 50) for i in range(300_001)) + "\ud800é𝄞\0"
    tests = (StdioTest(long, ""), StdioTest("1", "2"), StdioTest("", long * 2), CallTest("f", (1, "x"), [2]))
    pieces = messages._encode(tests).pieces
    assert len(pieces) == 1 + 3 + 1 + 1 + 5 + 1
    assert max(map(len, pieces)) < 2**20
    assert wire.join(pieces) == [
        ("stdio", long, ""),
        ("stdio", "1", "2"),
        ("stdio", "", long * 2),
        ("call", "f", (1, "x"), [2]),
    ]


def test_what_an_outcome_sends_are_fields_of_a_result() -> None:
    """Each under its own name; those at their default are left out, and what is for a checker is not sent."""
    assert {field.name for field in fields(Outcome)} - {"answer"} == {field.name for field in fields(TestResult)}
    for field in fields(TestResult):
        if field.name != "status":
            assert field.default == Outcome.__dataclass_fields__[field.name].default
    sent = Outcome("WA", cpu_s=0.5, actual="4", exit_code=0, answer="4").fields()
    assert sent == {"status": "WA", "cpu_s": 0.5, "actual": "4", "exit_code": 0}


async def test_scripted_sandbox() -> None:
    verdict = Verdict(Status.RE, (TestResult(Status.RE, error_type="KeyError"),))
    sandbox = ScriptedSandbox({"good": Status.AC, "exact": verdict})
    tests = (StdioTest("", "1"), StdioTest("", "2"))
    assert (await sandbox.judge("good", Suite(tests, Limits()))).num_passed == 2
    assert await sandbox.judge("exact", Suite(tests, Limits())) is verdict
    assert (await sandbox.judge("unknown", Suite(tests, Limits()))).status is Status.WA
    assert [program for program, _, _ in sandbox.asked] == ["good", "exact", "unknown"]


def test_a_process_that_is_yet_to_start_is_not_charged_for_that() -> None:
    clock = Clock(0, 1.0, 0.5, 0.0)
    clock.start -= 100.0  # it was asked for long ago
    clock.begin(os.getpid(), 0.01)
    assert 0.01 <= clock.wall_s() < 50.0


def test_a_process_gets_longer_turns_and_keeps_its_priority() -> None:
    get_attributes = {"x86_64": 315, "aarch64": 275}[os.uname().machine]
    with subprocess.Popen(["sleep", "60"], preexec_fn=lambda: os.nice(3)) as process:
        try:
            libc.set_turn(process.pid, 20)
            attributes = ctypes.create_string_buffer(56)
            libc.syscall(get_attributes, process.pid, attributes, len(attributes), 0)
            _, policy, _, nice, _, turn_ns, _, _ = struct.unpack_from("=IIQiIQQQ", attributes.raw)
            assert (policy, nice) == (0, os.getpriority(os.PRIO_PROCESS, process.pid))
            assert nice >= 3
            if tuple(map(int, platform.release().split(".")[:2])) >= (6, 12):
                assert turn_ns == 20_000_000
        finally:
            process.kill()
    with pytest.raises(OSError):
        libc.set_turn(process.pid, 20)  # it is gone
