"""Runtimes start in a real sandbox, where only their mounts and the host's /usr are to be seen."""

import asyncio
import contextlib
import os

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.backends.native import NativeBackend
from lambdad.sandbox.backends.process import ProcessBackend
from lambdad.sandbox.base import ProcessSpec, SandboxSpec
from lambdad.testing.clock import FakeClock

LIMITS = ResourceLimits(memory_mb=256, vcpus=None, ephemeral_storage_mb=16)
IDENTIFIERS = ["python3.8", "python3.11", "python3.12", "python3.13", "nodejs20.x", "nodejs22.x"]

PYTHON = """
import sys
def handler(event, context):
    try:
        import boto3
        found = boto3.client("sts", region_name="us-east-1").meta.service_model.service_name
    except ImportError:
        found = None
    return [found, "%d.%d" % sys.version_info[:2]]
"""
NODE = "exports.handler = async () => [null, process.version.slice(1).split('.')[0]];\n"


@pytest.fixture(params=[NativeBackend, ProcessBackend])
async def backend(request, tmp_path):
    config = SandboxConfig(first_uid=2_300_000, max_environments=8, subnet="100.112.0.0/16")
    backend = request.param(config, tmp_path / "state", FakeClock())
    try:
        await backend.open()
    except HostUnfit as unfit:
        pytest.skip(str(unfit))
    yield backend
    await backend.close()


async def read_all(descriptor):
    """Read what a guest printed, after it has ended."""
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "rb") as stream:
        return (await asyncio.to_thread(stream.read)).decode()


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("identifier", IDENTIFIERS)
async def test_a_function_runs_with_its_sdk(guest, runtime_api, backend, identifier):
    await check(guest, guest.runtime(identifier), runtime_api, backend)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
async def test_a_python_of_the_distribution_has_the_sdk_too(
    guest, a_catalogue, runtime_api, backend
):
    """It lies in /usr, which every sandbox sees: there is nothing to mount but the SDK."""
    catalogue = a_catalogue({"PYENV_ROOT": "/nonexistent"}, search=())
    below_usr = [
        line.identifier
        for line in catalogue.report()
        if line.version and line.source.startswith("/usr/bin/python")
    ]
    if not below_usr:
        pytest.skip("this host has no Python in /usr/bin")
    runtime = catalogue.find(below_usr[0])
    assert "/var/lang" not in [mount.target for mount in runtime.mounts]
    await check(guest, runtime, runtime_api, backend)


async def check(guest, runtime, runtime_api, backend):
    identifier = runtime.identifier
    guest.lay_out(runtime, {"app.py": PYTHON, "app.js": NODE})
    for path in (guest.root, *guest.root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    sandbox = await backend.create(
        SandboxSpec(
            environment_id=f"guest-{identifier.replace('.', '-')}",
            mounts=(*runtime.mounts, Mount(source=guest.task, target="/var/task")),
            limits=LIMITS,
            ports=(9001,),
            egress=False,
        )
    )
    api = runtime_api([{}])
    listener = sandbox.listeners[9001]
    server = await asyncio.start_server(api.serve, sock=listener.socket)
    environment = guest.environment(runtime, listener.address, guest_path=sandbox.guest_path)
    process = await sandbox.spawn(
        ProcessSpec(argv=runtime.argv, environment=environment, cwd="/var/task")
    )
    ended = asyncio.ensure_future(process.wait())
    served = asyncio.ensure_future(api.exhausted.wait())
    async with asyncio.timeout(30):
        await asyncio.wait([ended, served], return_when=asyncio.FIRST_COMPLETED)
    served.cancel()
    server.close()
    await sandbox.destroy()
    ended.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ended
    log = await read_all(process.output)
    assert [post.document for post in api.posts] == [
        [
            "sts" if identifier in ("python3.11", "python3.12", "python3.13") else None,
            identifier.removeprefix("python").removeprefix("nodejs").removesuffix(".x"),
        ]
    ], log
    assert log == ""
