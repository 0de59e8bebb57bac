"""The filter, installed: real programs run under it, and attacks do not."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lambdad.sandbox.seccomp import filter_program, forbidden_calls
from lambdad.sandbox.syscall_numbers import MACHINES, syscall_numbers

MACHINE = os.uname().machine
pytestmark = pytest.mark.skipif(MACHINE not in MACHINES, reason="no filter for this machine")

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _install() -> None:
    program = filter_program()
    header = _Program(len(program) // 8, program)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(header), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def confined(*command: str, cwd: Path | None = None) -> str:
    """Run a program under the filter; return what it prints."""
    done = subprocess.run(
        command,
        preexec_fn=_install,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=60,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def _in_child(*calls: tuple[int, ...]) -> list[int]:
    """Make raw system calls under the filter; return the errno of each, 0 for success."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _install()
        for number, *arguments in calls:
            ctypes.set_errno(0)
            result = _libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
            os.write(writer, b"%d " % (ctypes.get_errno() if result == -1 else 0))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answers = pipe.read()
    os.waitpid(child, 0)
    return [int(word) for word in answers.split()]


def test_forbidden_calls_are_refused_even_to_root() -> None:
    numbers = syscall_numbers(MACHINE)
    names = sorted(forbidden_calls() & numbers.keys())
    answers = _in_child(*((numbers[name], 0, 0, 0, 0, 0, 0) for name in names))
    assert dict(zip(names, answers, strict=True)) == dict.fromkeys(names, errno.EPERM)


def test_newer_and_unknown_calls_are_said_to_be_missing() -> None:
    numbers = syscall_numbers(MACHINE)
    assert _in_child((numbers["clone3"], 0, 0), (5_000,), (0x40000000,)) == [errno.ENOSYS] * 3


def test_namespaces_cannot_be_made_by_clone() -> None:
    numbers = syscall_numbers(MACHINE)
    flags = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
    calls = [(numbers["clone"], flag | 17, 0, 0, 0, 0) for flag in flags]
    assert _in_child(*calls) == [errno.EPERM] * len(flags)


def test_only_ordinary_sockets_can_be_made() -> None:
    number = syscall_numbers(MACHINE)["socket"]
    refused = [socket.AF_PACKET, socket.AF_ALG, socket.AF_VSOCK, 44, 30]
    assert _in_child(*((number, family, 2, 0) for family in refused)) == [errno.EAFNOSUPPORT] * len(
        refused
    )
    assert (
        _in_child((number, 1, 1, 0), (number, 2, 1, 0), (number, 10, 1, 0), (number, 16, 3, 0))
        == [0] * 4
    )
    assert _in_child((number, 2, 1, 132), (number, 16, 3, 12)) == [errno.EPROTONOSUPPORT] * 2


def test_terminal_injection_and_odd_personalities_are_refused() -> None:
    numbers = syscall_numbers(MACHINE)
    personality, ioctl = numbers["personality"], numbers["ioctl"]
    assert _in_child(
        (ioctl, 0, 0x5412, 0), (personality, 0x0400000), (personality, 0xFFFFFFFF)
    ) == [errno.EPERM, errno.EPERM, 0]


@pytest.mark.skipif(MACHINE != "x86_64", reason="x86_64 can also run 32-bit calls")
def test_a_call_by_the_32_bit_gate_kills() -> None:
    child = os.fork()
    if child == 0:
        _install()
        # mov eax, 20 (getpid); int 0x80; ret
        code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
        memory = _libc.mmap
        memory.restype = ctypes.c_void_p
        page = memory(None, ctypes.c_size_t(4096), 7, 0x22, -1, ctypes.c_size_t(0))
        ctypes.memmove(page, code, len(code))
        ctypes.CFUNCTYPE(ctypes.c_int)(page)()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == 31  # SIGSYS


PYTHON = """
import json, os, socket, subprocess, sys, tempfile, threading, time, hashlib, ctypes, select, signal
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
assert subprocess.check_output(["/bin/echo", "x"]) == b"x\\n"
with tempfile.TemporaryDirectory() as place:
    open(place + "/f", "w").close(); os.rename(place + "/f", place + "/g")
    os.mkfifo(place + "/p")
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen()
client = socket.create_connection(server.getsockname()); client.close()
socket.if_nameindex(); socket.getaddrinfo("127.0.0.1", 80)
pid = os.fork()
if pid == 0: os._exit(0)
os.waitpid(pid, 0); os.urandom(8); time.sleep(0.001); select.epoll().close()
import asyncio, multiprocessing.pool
loop = asyncio.new_event_loop(); loop.run_until_complete(asyncio.sleep(0)); loop.close()
pool = multiprocessing.pool.ThreadPool(2); assert pool.map(abs, [-1]) == [1]; pool.terminate()
print("fine", sys.version_info[:2])
"""


def _interpreters() -> list[str]:
    homes = sorted(Path(os.path.expanduser("~/.pyenv/versions")).glob("3.*/bin"))  # noqa: PTH111
    found = [str(home / "python3") for home in homes]
    found += filter(None, (shutil.which(f"python3.{minor}") for minor in range(6, 15)))
    return [*dict.fromkeys(found), sys.executable]


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", _interpreters())
def test_python_runs(interpreter: str) -> None:
    if subprocess.run([interpreter, "-V"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a placeholder, not an interpreter")
    assert "fine" in confined(interpreter, "-c", textwrap.dedent(PYTHON))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_nodejs_runs_with_workers_children_and_network() -> None:
    script = """
    const { Worker } = require('worker_threads');
    const { execFileSync } = require('child_process');
    const fs = require('fs'), os = require('os'), http = require('http');
    os.networkInterfaces(); os.cpus(); require('crypto').randomBytes(8);
    function visit() {
      http.get({ port: server.address().port, agent: false }, (answer) => {
        answer.resume(); answer.on('end', () => { server.close(); console.log('fine'); });
      });
    }
    const server = http.createServer((request, answer) => answer.end('ok'));
    fs.promises.readFile('/etc/passwd').then(() => {
      if (execFileSync('/bin/echo', ['x']).toString() !== 'x\\n') throw 1;
      new Worker('1', { eval: true }).on('exit', () => server.listen(0, '127.0.0.1', visit));
    });
    """
    assert confined(shutil.which("node") or "", "-e", script) == "fine\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a Java compiler")
def test_java_runs_with_threads_and_network(tmp_path: Path) -> None:
    (tmp_path / "H.java").write_text(
        """
        import java.net.*; import java.nio.file.*;
        class H { public static void main(String[] a) throws Exception {
          Thread t = new Thread(() -> {}); t.start(); t.join();
          ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
          new Socket(s.getInetAddress(), s.getLocalPort()).close();
          Files.writeString(Path.of("f"), "x");
          new ProcessBuilder("/bin/true").start().waitFor();
          NetworkInterface.networkInterfaces().count(); System.gc();
          System.out.println("fine"); } }
        """
    )
    subprocess.run(["javac", "H.java"], cwd=tmp_path, check=True)
    assert confined(shutil.which("java") or "", "H", cwd=tmp_path) == "fine\n"


def _go() -> str | None:
    return shutil.which("go", path=f"{os.defpath}:/usr/local/go/bin:/usr/lib/go/bin")


@pytest.mark.slow
@pytest.mark.skipif(_go() is None, reason="needs a Go compiler")
def test_go_runs_with_goroutines_and_network(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module h\n")
    (tmp_path / "h.go").write_text(
        """package main
        import ("fmt"; "io"; "net"; "os/exec"; "time")
        func check(e error) { if e != nil { panic(e) } }
        func main() {
          done := make(chan bool)
          for i := 0; i < 50; i++ { go func() { time.Sleep(1); done <- true }() }
          for i := 0; i < 50; i++ { <-done }
          server, e := net.Listen("tcp", "127.0.0.1:0"); check(e)
          go func() { c, e := server.Accept(); check(e); io.WriteString(c, "fine"); c.Close() }()
          client, e := net.Dial("tcp", server.Addr().String()); check(e)
          check(exec.Command("/bin/true").Run())
          _, e = net.Interfaces(); check(e)
          said, e := io.ReadAll(client); check(e); fmt.Println(string(said))
        }"""
    )
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.defpath,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=mod",
    }
    subprocess.run(
        [_go() or "", "build", "-o", "h", "."], cwd=tmp_path, check=True, env=environment
    )
    assert confined(str(tmp_path / "h")) == "fine\n"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
def test_a_static_program_runs(tmp_path: Path) -> None:
    source = '#include <stdio.h>\nint main(void) { puts("fine"); return 0; }\n'
    subprocess.run(
        ["gcc", "-static", "-x", "c", "-o", tmp_path / "h", "-"],
        input=source,
        text=True,
        check=True,
    )
    assert confined(str(tmp_path / "h")) == "fine\n"


def test_a_shell_pipeline_runs() -> None:
    assert confined("/bin/sh", "-c", "echo fine | sort | cat; ls / > /dev/null") == "fine\n"


def _defined(header: Path, *flags: str) -> dict[str, int]:
    done = subprocess.run(
        ["gcc", "-E", "-dM", *flags, header], capture_output=True, text=True, check=True
    )
    raw = dict(re.findall(r"#define __NR_?(\w+) (\S+)", done.stdout))

    def number(text: str) -> int | None:
        while text.startswith("__NR"):
            text = raw.get(re.sub("^__NR_?", "", text), "")
        return int(text) if text.isdigit() else None

    return {name: value for name, text in raw.items() if (value := number(text)) is not None}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_numbers_are_those_of_the_kernels_headers(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip("needs the kernel's headers")
    wants = ("RENAMEAT", "NEW_STAT", "SET_GET_RLIMIT", "SYS_CLONE3", "MEMFD_SECRET")
    defined = _defined(Path(header), *(f"-D__ARCH_WANT_{want}" for want in wants))
    ours = syscall_numbers(machine)
    shared = ours.keys() & defined.keys()
    assert len(shared) > 280
    assert {name: ours[name] for name in shared} == {name: defined[name] for name in shared}
