"""Puts the zygote into its jail, layer by layer, and says honestly which layers hold.

Tier A: namespaces, Landlock and seccomp. B: seccomp and one of the two. C: seccomp only. D: resource limits only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, TypeVar

from . import landlock, libc, namespaces, seccomp

_START_S = 30.0


class Layers(NamedTuple):
    """Which layers are wanted, and what a library tier adds to what may be read."""

    namespaces: bool = True
    landlock: bool = True
    seccomp: bool = True
    library_folders: tuple[str, ...] = ()


class Isolation(NamedTuple):
    """What holds a zygote and its children."""

    namespaces: bool
    landlock: bool
    seccomp: bool
    missing: tuple[str, ...]  # each absent layer with the reason
    pid: int = 0  # of the zygote, as the supervisor sees it
    children_file: int = -1  # the zygote's list of children, opened before the jail closed; -1 inside namespaces

    @property
    def tier(self) -> str:
        if not self.seccomp:
            return "D"
        return {2: "A", 1: "B", 0: "C"}[self.namespaces + self.landlock]

    def children(self) -> list[int]:
        """Process ids of the zygote's children, where there is no namespace to end them all at once."""
        if self.children_file < 0:
            return []
        return [int(pid) for pid in os.pread(self.children_file, 1 << 16, 0).split()]


class ChildLock(NamedTuple):
    """The last layers, made with the zygote's and put on each candidate just before it runs."""

    domain: landlock.Domain | None
    filter: seccomp.Filter | None

    def enter_domain(self) -> None:
        """A Landlock domain of its own, nested in the zygote's: no reaching into the zygote."""
        if self.domain is not None:
            self.domain.enter()

    def shut(self) -> None:
        """The candidate's own seccomp filter: nothing more can be changed."""
        if self.filter is not None:
            self.filter.install(os.getpid())


READY = b"ready"
Prepared = TypeVar("Prepared")
Prepare = Callable[[], Prepared]
Body = Callable[[socket.socket, Isolation, ChildLock, Prepared], None]


def start_with_connection(
    layers: Layers, kind: socket.SocketKind, prepare: Prepare[Prepared], body: Body[Prepared]
) -> tuple[socket.socket, Isolation]:
    """As `start`; the process holds one end of a new connection, and says READY on it once `body` runs.

    Raises:
        OSError: no such process can be made at all.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    try:
        with theirs:
            isolation = start(layers, theirs, prepare, body)
        ours.settimeout(_START_S)
        if ours.recv(16) != READY:
            raise OSError("the zygote did not start")
        ours.settimeout(None)
    except BaseException:
        ours.close()
        raise
    return ours, isolation


def address_space_bytes() -> int:
    """Of this process."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def start(layers: Layers, kept: socket.socket, prepare: Prepare[Prepared], body: Body[Prepared]) -> Isolation:
    """Fork a process that enters the jail, keeping one connection; returns once it is inside.

    It runs `prepare` before and `body` inside, with what `prepare` returned.

    Raises:
        OSError: no such process can be made at all.
    """
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)  # the zygote's first parent leaves once it is made
    missing: list[str] = []
    if layers.namespaces:
        try:
            return _start(layers, True, missing, kept, prepare, body)
        except OSError as error:
            missing.append(f"namespaces ({error})")
    else:
        missing.append("namespaces (switched off)")
    return _start(layers, False, missing, kept, prepare, body)


def _start(
    layers: Layers,
    use_namespaces: bool,
    missing: list[str],
    kept: socket.socket,
    prepare: Prepare[Prepared],
    body: Body[Prepared],
) -> Isolation:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ours.settimeout(_START_S)
    first = os.fork()
    if first == 0:
        _first_process(layers, use_namespaces, missing, theirs, kept, prepare, body)
    theirs.close()
    with ours:
        return _guide(ours, first, use_namespaces)


def _guide(connection: socket.socket, first: int, use_namespaces: bool) -> Isolation:
    """The supervisor's side of building a jail: id maps from outside, then what the zygote says of itself."""
    try:
        if use_namespaces:
            _expect(connection)  # it is in its namespaces
            _send(connection, {"two_ids": namespaces.write_id_maps(first)})
            os.waitpid(first, 0)  # it leaves, and the zygote becomes this process's child
            _send(connection, {})
        facts, pid = _expect(connection)
    except OSError:
        _end(first)
        raise
    return Isolation(facts["namespaces"], facts["landlock"], facts["seccomp"], tuple(facts["missing"]), pid)


def _send(connection: socket.socket, facts: dict[str, Any]) -> None:
    connection.send(json.dumps(facts).encode())


def _expect(connection: socket.socket) -> tuple[dict[str, Any], int]:
    """The next message and its sender's process id. Raises OSError for an error message or none."""
    message, ancillary, _, _ = connection.recvmsg(16_384, 128)
    facts = json.loads(message or b'{"error": "the jail\'s first process died"}')
    if "error" in facts:
        raise OSError(facts["error"])
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return facts, struct.unpack("=iII", data[:12])[0]
    raise OSError("no credentials from the jail's first process")


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ChildProcessError, ProcessLookupError):
        pass


def _first_process(
    layers: Layers,
    use_namespaces: bool,
    missing: list[str],
    connection: socket.socket,
    kept: socket.socket,
    prepare: Prepare[Prepared],
    body: Body[Prepared],
) -> NoReturn:
    """Enters the namespaces, makes the zygote their first process, and leaves; or becomes the zygote."""
    try:
        try:
            connection, kept = _moved(connection), _moved(kept)
            _keep_only({connection.fileno(), kept.fileno()})
            prepared = prepare()
            two_ids = False
            if use_namespaces:
                namespaces.unshare_all()
                _send(connection, {})
                two_ids = json.loads(connection.recv(16_384))["two_ids"]
                if os.fork() != 0:
                    os._exit(0)
                connection.recv(16_384)
            isolation, lock = _enter(layers, use_namespaces, two_ids, missing)
        except BaseException as error:
            _send(connection, {"error": str(error) or type(error).__name__})
            os._exit(1)
        facts = {name: getattr(isolation, name) for name in ("namespaces", "landlock", "seccomp", "missing")}
        _send(connection, facts)
        connection.close()
        body(kept, isolation, lock, prepared)
    finally:
        os._exit(1)


def _moved(connection: socket.socket) -> socket.socket:
    """The same connection, out of the way of the descriptors that a candidate has."""
    family, kind = connection.family, connection.type
    return socket.socket(family, kind, 0, libc.out_of_the_way(connection.detach()))


def _keep_only(descriptors: set[int]) -> None:
    """Close every other descriptor; the standard ones lead nowhere."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    first = 3
    for descriptor in sorted(descriptors):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _enter(layers: Layers, use_namespaces: bool, two_ids: bool, missing: list[str]) -> tuple[Isolation, ChildLock]:
    """All layers of the zygote, from the outermost in."""
    if use_namespaces:
        namespaces.build_root(layers.library_folders, two_ids)
        children_file = -1
    else:
        children_file = _open_children_file()
        libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
        os.chdir("/")
        libc.renounce_new_capabilities()
    libc.drop_capabilities()
    libc.prctl(libc.PR_SET_DUMPABLE, 0)
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(libc.PR_SET_THP_DISABLE, 1)  # of a huge page that is unmapped in part, all is kept and little counted
    os.environ.clear()
    missing = [*missing]
    domain = _attempt("Landlock", layers.landlock, lambda: _landlock(use_namespaces, layers), missing)
    filters = _attempt("seccomp", layers.seccomp, lambda: _seccomp(use_namespaces), missing)
    isolation = Isolation(
        use_namespaces, domain is not None, filters is not None, tuple(missing), children_file=children_file
    )
    return isolation, ChildLock(domain, filters)


def _open_children_file() -> int:
    try:
        return libc.out_of_the_way(os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY))
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return -1


_Layer = TypeVar("_Layer")


def _attempt(name: str, wanted: bool, enter: Callable[[], _Layer], missing: list[str]) -> _Layer | None:
    """What a layer gives the children; None, and the reason noted, if it is absent."""
    if not wanted:
        missing.append(f"{name} (switched off)")
        return None
    try:
        return enter()
    except OSError as error:
        missing.append(f"{name} ({error})")
        return None


def _landlock(use_namespaces: bool, layers: Layers) -> landlock.Domain:
    """Restrict the zygote; returns the same rules for its children to nest."""
    domain = landlock.Domain(landlock.make_ruleset(landlock_rules(use_namespaces, layers)))
    domain.enter()
    return domain


def _seccomp(use_namespaces: bool) -> seccomp.Filter:
    """Filter the zygote; returns the filter for its children."""
    thin = seccomp.candidate_filter(use_namespaces)
    seccomp.jail_filter().install()
    return thin


def landlock_rules(use_namespaces: bool, layers: Layers) -> list[landlock.Rule]:
    """What may be touched: in a private root all of it, read-only but for scratch; else the standard library only."""
    devices = [landlock.Rule(path, landlock.WRITE_DEVICE) for path in ("/dev/null", "/dev/full")]
    if use_namespaces:
        return [landlock.Rule("/", landlock.READ), landlock.Rule(namespaces.SCRATCH, landlock.SCRATCH), *devices]
    rules = [landlock.Rule(path, landlock.READ) for path in ("/etc/ld.so.cache", "/dev/random", "/dev/urandom")]
    folders = namespaces.readable_folders()
    hidden = namespaces.hidden_folders(folders)
    for folder in folders:  # it grows meanwhile
        rules.append(landlock.Rule(folder, landlock.LIST))
        for path in {f"{folder}/{name}" for name in os.listdir(folder)}.difference(hidden):
            if any(inner.startswith(f"{path}/") for inner in hidden):
                folders.append(path)
            else:
                rules.append(landlock.Rule(path, landlock.READ))
    return [*rules, *devices, *(landlock.Rule(path, landlock.READ) for path in layers.library_folders)]
