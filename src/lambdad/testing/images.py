"""Container images made without Docker: layers, an OCI layout, an archive of `docker save`.

And a registry that serves a layout over HTTP, with a token if asked to.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import zstandard

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "": bytes,
}
TOKEN = "let-me-pull"  # noqa: S105 - of a registry that exists for a test


def member(name: str, content: bytes = b"", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a layer: a file, unless `type` says otherwise."""
    info = tarfile.TarInfo(name)
    info.mode = 0o755 if attributes.get("type") == tarfile.DIRTYPE else 0o644
    info.size = len(content)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def tar(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """An uncompressed layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tree_layer(files: Mapping[str, bytes | Path], *, executable: Sequence[str] = ()) -> bytes:
    """A layer of files and whole directories of this host, by their place in the image."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            if isinstance(content, Path):
                archive.add(content, name)
                continue
            mode = 0o755 if name in executable else 0o644
            info, data = member(name, content, mode=mode)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Layout:
    """An OCI layout directory that grows."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "blobs" / "sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._listed: list[dict[str, Any]] = []

    def blob(self, content: bytes) -> dict[str, Any]:
        """Add content; returns what describes it."""
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / "blobs" / "sha256" / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def add(
        self,
        tag: str,
        layers: Sequence[bytes],
        *,
        architecture: str = "amd64",
        compression: str = "gzip",
        **config: Any,
    ) -> str:
        """Add an image with a tag; returns its digest."""
        manifest = self.manifest(
            layers, architecture=architecture, compression=compression, **config
        )
        return self.tag(tag, {**self.blob(manifest), "mediaType": _MANIFEST})

    def tag(self, tag: str, described: Mapping[str, Any]) -> str:
        """Name a manifest or an index; returns its digest."""
        named = {**described, "annotations": {"org.opencontainers.image.ref.name": tag}}
        self._listed.append(named)
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": self._listed}
        (self.directory / "index.json").write_text(json.dumps(index))
        return str(described["digest"])

    def manifest(
        self,
        layers: Sequence[bytes],
        *,
        architecture: str = "amd64",
        compression: str = "gzip",
        **config: Any,
    ) -> bytes:
        """Add layers and configuration; returns the manifest, which is not added."""
        compress: Callable[[bytes], bytes] = _COMPRESS[compression]
        diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        described = [{**self.blob(compress(layer)), "mediaType": _LAYER} for layer in layers]
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        own = self.blob(json.dumps(document).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": own,
            "layers": described,
        }
        return json.dumps(manifest).encode()

    def index(self, tag: str, manifests: Mapping[str, bytes]) -> str:
        """Add an index of manifests by architecture; returns its digest."""
        entries = [
            {**self.blob(content), "platform": {"os": "linux", "architecture": machine}}
            for machine, content in manifests.items()
        ]
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
        return self.tag(tag, {**self.blob(json.dumps(index).encode()), "mediaType": _INDEX})


def docker_archive(path: Path, layers: Sequence[bytes], *, tag: str, **config: Any) -> None:
    """Write what `docker save` writes."""
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    document = {"architecture": "amd64", "config": config, "rootfs": {"diff_ids": diff_ids}}
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [f"app:{tag}"], "Layers": names}]
    files = dict(zip(names, layers, strict=True))
    files["config.json"] = json.dumps(document).encode()
    files["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(tar([member(name, content) for name, content in files.items()]))


class Registry:
    """Serves a layout as the repository of every name, on loopback.

    Attributes:
        place: `host:port`.
        asked: paths in the order in which they were asked for.
    """

    def __init__(self, layout: Layout, *, token: bool = False) -> None:
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.asked.append(self.path)
                registry.answer(self, layout.directory, token=token)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def answer(self, request: BaseHTTPRequestHandler, layout: Path, *, token: bool) -> None:
        """Answer one request."""
        path = urlsplit(request.path)
        if path.path == "/token":
            scope = parse_qs(path.query).get("scope", [""])[0]
            self._send(request, 200, json.dumps({"token": TOKEN, "scope": scope}).encode())
            return
        if token and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = f'Bearer realm="http://{self.place}/token",service="here"'
            self._send(request, 401, b"{}", {"WWW-Authenticate": challenge})
            return
        kind, name = path.path.split("/")[-2:]
        if kind == "manifests" and not name.startswith("sha256:"):
            listed = json.loads((layout / "index.json").read_text())["manifests"]
            tags = {
                entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"]
                for entry in listed
            }
            name = tags.get(name, "sha256:absent")
        file = layout / "blobs" / "sha256" / name.partition(":")[2]
        if file.is_file():
            self._send(request, 200, file.read_bytes())
        else:
            self._send(request, 404, b"{}")

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
