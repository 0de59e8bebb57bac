"""Run as a program: write without end and print what was answered. Killed by its parent."""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from lambdad.domain.arns import FunctionKey
from lambdad.domain.clock import SystemClock
from lambdad.domain.logs import LogSegment
from lambdad.storage.base import InsertFunction, LogGroupKey, PutResource
from lambdad.storage.packages import FilePackageStore
from lambdad.storage.registry import engine
from lambdad.testing.controlplane import a_zip
from lambdad.testing.functions import a_function, a_resource

WORKERS = 32
GROUP = LogGroupKey(account_id="000000000000", region="us-east-1", name="g")


async def main(data_dir: Path) -> None:
    store = engine("sqlite")(data_dir, SystemClock())
    await store.open()

    async def work(worker: int) -> None:
        for number in range(1_000_000):
            name = f"f{worker}-{number}"
            key = FunctionKey(account_id="000000000000", region="us-east-1", name=name)
            await store.functions.insert(a_function(key=key))
            if number % 4 == 3:
                changed = a_function(key=key, revision_id="r2")
                await store.functions.replace(changed, expected_revision="r1")
            os.write(1, f"{name}\n".encode())
            if number % 4 == 1:
                await store.apply(
                    InsertFunction(function=a_function(key=key, version="1")),
                    PutResource(resource=a_resource(name=f"{name}:live", function=name)),
                )
                os.write(1, f"published {name}\n".encode())
            if worker == 0:
                segment = LogSegment("s", [number, number + 1], [name, f"{name}, too"])
                await store.logs.append([(GROUP, [segment])])
                os.write(1, f"log {name}\n".encode())

    async def upload() -> None:
        packages = FilePackageStore(data_dir / "code")
        for number in count():
            files = {f"{name}.py": f"{number}" for name in range(20)}
            code = await packages.add(a_zip(files), lambda _: None)
            os.write(1, f"package {code.digest}\n".encode())

    await asyncio.gather(upload(), *map(work, range(WORKERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
