"""A program's side of the sandbox: gives up whatever could do harm, then runs the program and its tests.

Notable: a script that `sandbox` starts, with the standard library alone. From then on the kernel refuses (seccomp, for
the whole process and for good) whatever makes a process or a connection, signals another one, changes how it is
scheduled, or changes a file: the program may read files and write none.
"""

import ctypes
import errno
import fcntl
import json
import os
import resource
import struct
from collections.abc import Mapping, Sequence
from typing import Any

REFUSED = {
    "processes": "fork 57 -, vfork 58 -, execve 59 221, execveat 322 281, ptrace 101 117, process_vm_readv 310 270, "
    "process_vm_writev 311 271, unshare 272 97, setns 308 268, kill 62 129, tkill 200 130, tgkill 234 131, "
    "rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, setpriority 141 140, personality 135 92, "
    "sched_setparam 142 118, sched_setscheduler 144 119, sched_setaffinity 203 122, sched_setattr 314 274, "
    "ioprio_set 251 30, migrate_pages 256 238, move_pages 279 239",
    "connections": "socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, sendto 44 206, memfd_create 319 279",
    "what others share": "shmget 29 194, shmat 30 196, shmctl 31 195, semget 64 190, semop 65 193, semctl 66 191, "
    "semtimedop 220 192, msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180, "
    "mq_unlink 241 181, mq_timedsend 242 182, mq_timedreceive 243 183, mq_notify 244 184",
    "files": "creat 85 -, truncate 76 45, ftruncate 77 46, fallocate 285 47, rename 82 -, renameat 264 38, "
    "renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, link 86 -, linkat 265 37, symlink 88 -, "
    "symlinkat 266 36, unlink 87 -, unlinkat 263 35, mknod 133 -, mknodat 259 33, chmod 90 -, fchmod 91 52, "
    "fchmodat 268 53, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, utime 132 -, utimes 235 -, "
    "utimensat 280 88, futimesat 261 -, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, "
    "lremovexattr 198 15, fremovexattr 199 16, open_by_handle_at 304 265",
    "kernel": "bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, keyctl 250 219, add_key 248 217, "
    "request_key 249 218, io_setup 206 0",
}
"""System calls that are refused, by what they touch, each with its numbers on x86-64 and on aarch64."""

OPENS = {"open": ((2, 1), None), "openat": ((257, 2), (56, 2))}
"""What opens a file: its number, and which argument says how; refused where that is not for reading alone."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

CLONE, PRLIMIT, IOCTL, PRCTL, FCNTL = (56, 220), (302, 261), (16, 29), (157, 167), (72, 25)
THREAD = 0x10000
"""The flag of `clone` that makes a thread, which is no process."""
DESCRIBES = (fcntl.F_DUPFD, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL, fcntl.F_DUPFD_CLOEXEC)
"""What `fcntl` may be asked; another thing it does is to have the kernel send any signal to any process, of a pipe."""
NEWER, CLOSE_RANGE, FACCESSAT2 = 424, 436, 439
"""The calls from 424 on are newer than 2019 and have one number everywhere; but for two they are said not to exist."""

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machines by name: their column above, and what seccomp calls them."""

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NO_NEW_PRIVILEGES, SECCOMP, FILTER, DIE_WITH_PARENT, KILL_SIGNAL = 38, 22, 2, 1, 9
IS_DUMPABLE, SET_DUMPABLE = 3, 4

BEGUN = b"contained\n"
"""Is said to the sandbox before the program runs."""

LONGEST_LINE = 300
"""Characters that are kept of what went wrong."""


def main() -> None:
    """Reads what to run from standard input, runs it, and writes what came of it to the pipe that it is told."""
    with os.fdopen(0, "rb") as stream:
        order = json.loads(stream.read())
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    try:
        limit(order["seconds"], order["memory"])
        contain(order["machine"])
    except (OSError, ValueError) as error:
        say(order, "uncontained", str(error))
    else:
        os.write(order["pipe"], BEGUN)  # what is said before it is ours
        try:
            tests = compile(order["tests"], "tests", "exec")  # before the program could change how
            names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
            exec(compile(order["program"], "program", "exec"), names)
            exec(tests, names)
        except BaseException as error:
            say(order, "failed", f"{type(error).__name__}: {error}")
        else:
            say(order, "passed")
    os._exit(0)  # whatever a thread of the program still does


def say(order: Mapping[str, Any], outcome: str, line: str = "") -> None:
    """Tells the sandbox how it went, with the word that only the two of them know."""
    said = {"word": order["word"], "outcome": outcome, "line": " ".join(line.split())[:LONGEST_LINE]}
    os.write(order["pipe"], json.dumps(said).encode())


def limit(seconds: int, memory: int) -> None:
    """Bounds what the process may use, and takes the rights of an administrator away where it has them."""
    bounds = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 64,  # threads; the kernel holds an administrator to none
    }
    for kind, bound in bounds.items():
        most = resource.getrlimit(kind)[1]
        bound = bound if most == resource.RLIM_INFINITY else min(bound, most)
        resource.setrlimit(kind, (bound, bound))
    system = ctypes.CDLL(None, use_errno=True)
    header, none = struct.pack("II", 0x20080522, 0), bytes(24)  # version 3; no capability in any of its three sets
    _check(system.capset(header, none))
    _check(system.prctl(DIE_WITH_PARENT, KILL_SIGNAL, 0, 0, 0))
    _check(system.prctl(SET_DUMPABLE, 0, 0, 0, 0))  # a kernel that pipes dumps to a program heeds no RLIMIT_CORE


def contain(machine: str) -> None:
    """Has the kernel refuse, from here on, what `rules` names.

    Raises:
        OSError: this kernel does not do that.
    """
    code = rules(machine)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    system = ctypes.CDLL(None, use_errno=True)
    _check(system.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _check(system.prctl(SECCOMP, FILTER, program, 0, 0))


def rules(machine: str) -> bytes:
    """What is refused, as the filter that the kernel runs at each system call (seccomp(2)): an error, no signal."""
    column, architecture = MACHINES[machine]
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    for number in (CLOSE_RANGE, FACCESSAT2):
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    steps += [(AT_LEAST, 0, 1, NEWER), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    steps += [(EQUAL, 0, 1, IOCTL[column]), (RETURN, 0, 0, REFUSE | errno.ENOTTY)]
    for call in ", ".join(REFUSED.values()).split(", "):
        if (number := call.split()[1:][column]) != "-":
            steps += [(EQUAL, 0, 1, int(number)), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    for ways in OPENS.values():
        if ways[column] is not None:
            number, argument = ways[column]
            steps += _where(number, argument, (ANY_BIT, 0, 1, WRITES), REFUSE | errno.EACCES)
    steps += _where(CLONE[column], 0, (ANY_BIT, 1, 0, THREAD), REFUSE | errno.EPERM)
    steps += _where(PRLIMIT[column], 0, (EQUAL, 1, 0, 0), REFUSE | errno.EPERM)
    steps += _where(PRCTL[column], 0, (EQUAL, 1, 0, IS_DUMPABLE), REFUSE | errno.EPERM)
    steps += _unless(FCNTL[column], 1, DESCRIBES, REFUSE | errno.EPERM)
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _where(number: int, argument: int, test: tuple[int, int, int, int], refusal: int) -> list[tuple[int, ...]]:
    """Steps that judge a call by one of its arguments (its low half; both machines put that first)."""
    return [
        (EQUAL, 0, 4, number),
        (LOAD, 0, 0, 16 + 8 * argument),
        test,
        (RETURN, 0, 0, refusal),
        (RETURN, 0, 0, ALLOW),
    ]


def _unless(number: int, argument: int, values: Sequence[int], refusal: int) -> list[tuple[int, ...]]:
    """Steps that refuse a call unless one of its arguments has one of these values."""
    allowed = [(EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [
        (EQUAL, 0, len(values) + 3, number),
        (LOAD, 0, 0, 16 + 8 * argument),
        *allowed,
        (RETURN, 0, 0, refusal),
        (RETURN, 0, 0, ALLOW),
    ]


def _check(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
