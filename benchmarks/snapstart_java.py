"""The first invocation of a Java function that loads 3,000 classes, restored and initialised."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.cold_java import installed
from benchmarks.load import invoke_path
from benchmarks.series import Series
from benchmarks.snapstart import SOON, cold
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.languages import settings

_CLASSES = 3_000
_SOURCE = """
import java.nio.file.*;
import java.util.*;
import java.util.stream.*;

public class Heavy {
    private static final List<Class<?>> LOADED = new ArrayList<>();

    public Heavy() throws Exception {
        FileSystem modules = FileSystems.getFileSystem(java.net.URI.create("jrt:/"));
        Path base = modules.getPath("/modules/java.base");
        List<Path> files;
        try (Stream<Path> all = Files.walk(base.resolve("java"))) {
            files = all.filter(file -> file.toString().endsWith(".class")).sorted()
                .limit(%d).collect(Collectors.toList());
        }
        for (Path file : files) {
            String name = base.relativize(file).toString().replace('/', '.');
            LOADED.add(Class.forName(name.substring(0, name.length() - 6), false, null));
        }
        for (Class<?> loaded : LOADED) {
            loaded.getDeclaredMethods();
        }
    }

    public int handle(Map<String, Object> event) {
        return LOADED.size();
    }
}
"""


def measure(quick: bool) -> Iterator[Series]:
    """Call in turns as `snapstart` does; yields nothing where there is no Java."""
    identifier, javac = installed(), shutil.which("javac")
    if identifier is None or javac is None:
        return
    with (
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory) / "data", environ={**settings(), **SOON}) as daemon,
    ):
        url, deployer = daemon.endpoint_url, Deployer(daemon.endpoint_url)
        files = _compiled(javac, Path(directory) / "classes")
        chosen = {"Runtime": identifier, "Handler": "Heavy::handle", "MemorySize": 1769}
        deployer.deploy("initialised", files, **chosen)
        deployer.deploy("restored", files, SnapStart={"ApplyOn": "PublishedVersions"}, **chosen)
        version = deployer.lambda_.publish_version(FunctionName="restored")["Version"]
        waiter = deployer.lambda_.get_waiter("published_version_active")
        waiter.wait(FunctionName="restored", Qualifier=version)
        restored: list[float] = []
        initialised: list[float] = []
        for _ in range(10 if quick else 200):
            path = f"{invoke_path('restored')}?Qualifier={version}"
            restored.append(cold(url, path, identifier))
            initialised.append(cold(url, invoke_path("initialised"), identifier))
    yield Series(row="", name=f"cold, {identifier}, initialised", unit="ms", values=initialised)
    yield Series(row="", name=f"cold, {identifier}, restored", unit="ms", values=restored)
    shares = [one / other for one, other in zip(restored, initialised, strict=True)]
    yield Series(row="", name="  as a share of the initialisation", unit="x", values=shares)


def _compiled(javac: str, directory: Path) -> Mapping[str, bytes]:
    directory.mkdir()
    (directory / "Heavy.java").write_text(_SOURCE % _CLASSES)
    subprocess.run([javac, "Heavy.java"], cwd=directory, check=True)
    return {path.name: path.read_bytes() for path in directory.glob("*.class")}
