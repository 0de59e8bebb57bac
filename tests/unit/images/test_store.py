"""What is fetched is what was named, once; what nobody has any more goes."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lambdad.config.sections import ImagesConfig
from lambdad.domain.images import ImageAbsent, ImageDenied, ImageProblem, parse_reference
from lambdad.images.registry import RegistrySource, logins
from lambdad.images.store import ImageStore
from lambdad.testing.images import TOKEN, Layout, Registry, docker_archive, member, tar


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images", ImagesConfig(local=(tmp_path,)))


def a_layer(name: str) -> bytes:
    return tar([member(name, name.encode())])


async def fetched(store: ImageStore, uri: str) -> str:
    _, resolved = await store.resolve(uri, "x86_64")
    return await store.ensure(resolved, "x86_64")


def entries(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


async def test_an_image_is_made_once_and_describes_itself(
    store: ImageStore, layout: Layout
) -> None:
    layout.add("v1", [a_layer("a")], Entrypoint=["/a"], Cmd=["b"], Env=["X=1=2"], WorkingDir="/w")
    digest = await fetched(store, f"oci:{layout.directory}:v1")
    description = store.description(digest)
    assert (description.entry_point, description.command) == (("/a",), ("b",))
    assert description.environment == {"X": "1=2"}
    assert description.working_directory == "/w"
    assert (store.tree(digest) / "a").read_text() == "a"
    # What it was made of may go.
    for blob in (layout.directory / "blobs" / "sha256").iterdir():
        blob.unlink()
    uri = f"oci:{layout.directory}@sha256:{digest}"
    assert await store.ensure(uri, "x86_64") == digest


async def test_many_ask_at_once_and_one_fetches(tmp_path: Path, layout: Layout) -> None:
    layout.add("v1", [a_layer("a"), a_layer("b")])
    with Registry(layout) as registry:
        store = ImageStore(tmp_path / "i", ImagesConfig(plain_http=(registry.place,)))
        _, resolved = await store.resolve(f"{registry.place}/x:v1", "x86_64")
        await asyncio.gather(*(store.ensure(resolved, "x86_64") for _ in range(8)))
        assert len([path for path in registry.asked if "/blobs/" in path]) == 3


async def test_what_nobody_has_goes_and_shared_layers_stay(
    store: ImageStore, layout: Layout, tmp_path: Path
) -> None:
    shared = a_layer("shared")
    layout.add("one", [shared, a_layer("1")])
    layout.add("two", [shared, a_layer("2")])
    layout.add("pinned", [a_layer("3")])
    place = f"oci:{layout.directory}"
    one, two, pinned = [await fetched(store, f"{place}:{tag}") for tag in ("one", "two", "pinned")]
    store.pin("p", pinned)
    assert len(entries(tmp_path / "images" / "layers")) == 4
    assert await store.collect(frozenset({two})) == 1
    assert entries(tmp_path / "images" / "roots") == {two, pinned}
    assert len(entries(tmp_path / "images" / "layers")) == 3
    assert (store.tree(two) / "shared").read_text() == "shared"
    assert not [name for name in entries(tmp_path / "images") if name.startswith(".")]
    # It can come again.
    assert await fetched(store, f"{place}:one") == one


async def test_a_failure_leaves_nothing(store: ImageStore, layout: Layout, tmp_path: Path) -> None:
    manifest = layout.manifest([a_layer("a"), a_layer("b")])
    digest = layout.tag("v", layout.blob(manifest))
    damaged = json.loads(manifest)["layers"][1]["digest"].partition(":")[2]
    (layout.directory / "blobs" / "sha256" / damaged).write_bytes(b"x")
    with pytest.raises(ImageProblem, match=damaged):
        await store.ensure(f"oci:{layout.directory}@{digest}", "x86_64")
    assert not (tmp_path / "images" / "roots").exists()
    assert not [name for name in entries(tmp_path / "images") if name.startswith(".")]


@pytest.mark.parametrize("what", ["manifest", "config"])
async def test_documents_must_be_what_their_digests_say(
    store: ImageStore, layout: Layout, what: str
) -> None:
    manifest = layout.manifest([a_layer("a")])
    digest = layout.tag("v", layout.blob(manifest))
    named = digest if what == "manifest" else json.loads(manifest)["config"]["digest"]
    blob = layout.directory / "blobs" / "sha256" / named.partition(":")[2]
    blob.write_bytes(blob.read_bytes().replace(b"{", b"{ ", 1))
    with pytest.raises(ImageProblem):
        await store.ensure(f"oci:{layout.directory}@{digest}", "x86_64")


async def test_an_image_for_another_machine_is_refused(store: ImageStore, layout: Layout) -> None:
    layout.add("arm", [a_layer("a")], architecture="arm64")
    with pytest.raises(ImageProblem, match="is for arm64"):
        await fetched(store, f"oci:{layout.directory}:arm")
    layout.index("only-arm", {"arm64": layout.manifest([a_layer("a")], architecture="arm64")})
    with pytest.raises(ImageProblem, match=r"not there for linux/amd64, only for linux/arm64"):
        await store.resolve(f"oci:{layout.directory}:only-arm", "x86_64")


@pytest.mark.parametrize(
    "document",
    [
        b"[]",
        b"not json",
        b"{" * 100_000,
        b'{"schemaVersion": 1}',
        b'{"schemaVersion": 2, "config": {}, "layers": []}',
        b'{"schemaVersion": 2, "config": {"digest": "sha256:../../etc"}, "layers": [{"size": 1}]}',
        b'{"manifests": "none"}',
        b'{"manifests": [{"digest": "md5:x"}]}',
    ],
)
async def test_what_is_no_manifest_is_refused(
    store: ImageStore, layout: Layout, document: bytes
) -> None:
    layout.tag("bad", layout.blob(document))
    with pytest.raises(ImageProblem):
        await store.resolve(f"oci:{layout.directory}:bad", "x86_64")


async def test_indexes_in_circles_end(store: ImageStore, layout: Layout) -> None:
    content = layout.manifest([a_layer("a")])
    for number in range(4):
        name = f"i{number}"
        layout.index(name, {"amd64": content})
        index = json.loads((layout.directory / "index.json").read_text())["manifests"][-1]
        digest = index["digest"].partition(":")[2]
        content = (layout.directory / "blobs" / "sha256" / digest).read_bytes()
    with pytest.raises(ImageProblem, match="without end"):
        await store.resolve(f"oci:{layout.directory}:i3", "x86_64")


async def test_an_image_must_fit_the_limit_by_its_own_words(
    store: ImageStore, layout: Layout
) -> None:
    manifest = json.loads(layout.manifest([a_layer("a")]))
    manifest["layers"][0]["size"] = 11 * 1024**3
    layout.tag("huge", layout.blob(json.dumps(manifest).encode()))
    with pytest.raises(ImageProblem, match="larger than 10 GB"):
        await store.resolve(f"oci:{layout.directory}:huge", "x86_64")


async def test_local_images_are_read_where_that_is_allowed_and_nowhere_else(
    tmp_path: Path, layout: Layout
) -> None:
    layout.add("v", [a_layer("a")])
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to(layout.directory)
    store = ImageStore(tmp_path / "i", ImagesConfig(local=(allowed,)))
    for place in (layout.directory, allowed / "link", allowed / ".." / "layout"):
        with pytest.raises(ImageDenied, match=r"images\.local"):
            await store.resolve(f"oci:{place}:v", "x86_64")


async def test_an_archive_has_one_digest_however_it_is_packed(
    store: ImageStore, tmp_path: Path
) -> None:
    docker_archive(tmp_path / "a.tar", [a_layer("a")], tag="v", Cmd=["/a"])
    first = await fetched(store, f"docker-archive:{tmp_path}/a.tar:v")
    (tmp_path / "b.tar").write_bytes((tmp_path / "a.tar").read_bytes())
    assert await fetched(store, f"docker-archive:{tmp_path}/b.tar") == first
    with pytest.raises(ImageAbsent):
        await store.resolve(f"docker-archive:{tmp_path}/a.tar:other", "x86_64")
    (tmp_path / "c.tar").write_bytes(b"no archive")
    with pytest.raises(ImageProblem, match="no archive of `docker save`"):
        await store.resolve(f"docker-archive:{tmp_path}/c.tar", "x86_64")


async def test_a_registry_without_tls_must_be_named(tmp_path: Path, layout: Layout) -> None:
    layout.add("v", [a_layer("a")])
    with Registry(layout) as registry:
        store = ImageStore(tmp_path / "i", ImagesConfig())
        with pytest.raises(ImageProblem, match=r"images\.plain_http"):
            await store.resolve(f"{registry.place}/x:v", "x86_64")
        assert registry.asked == []


async def test_a_registry_that_asks_for_a_token_gets_one(tmp_path: Path, layout: Layout) -> None:
    layout.add("v", [a_layer("a")])
    with Registry(layout, token=True) as registry:
        store = ImageStore(tmp_path / "i", ImagesConfig(plain_http=(registry.place,)))
        await fetched(store, f"{registry.place}/team/x:v")
        [asked, *_] = [path for path in registry.asked if path.startswith("/token")]
        assert "scope=repository%3Ateam%2Fx%3Apull" in asked
        with pytest.raises(ImageAbsent):
            await store.resolve(f"{registry.place}/team/x:absent", "x86_64")


class Elsewhere:
    """A registry that sends to another place for blobs, and what that place is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        outer = self

        class Registry(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not self.headers.get("Authorization"):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="here"')
                else:
                    self.send_response(307)
                    self.send_header("Location", f"http://{outer.other}/blob")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Other(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.told.append(dict(self.headers))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"content")

            def log_message(self, *_: Any) -> None:
                pass

        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in (Registry, Other)]
        self.place, self.other = (f"127.0.0.1:{each.server_port}" for each in self.servers)
        self.threads = [threading.Thread(target=each.serve_forever) for each in self.servers]
        for thread in self.threads:
            thread.start()

    def close(self) -> None:
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    servers = Elsewhere()
    yield servers
    servers.close()


def source_of(place: str, *plain_http: str) -> RegistrySource:
    reference = parse_reference(f"{place}/x:v")
    assert reference is not None
    return RegistrySource(reference, plain_http, {place: ("me", TOKEN)})


def test_credentials_do_not_follow_to_another_place(elsewhere: Elsewhere) -> None:
    source = source_of(elsewhere.place, elsewhere.place, elsewhere.other)
    with source.blob(f"sha256:{'0' * 64}") as blob:
        assert blob.read() == b"content"
    assert all("Authorization" not in headers for headers in elsewhere.told)


def test_a_redirect_does_not_lead_to_a_place_without_tls(elsewhere: Elsewhere) -> None:
    source = source_of(elsewhere.place, elsewhere.place)
    with pytest.raises(ImageDenied), source.blob(f"sha256:{'0' * 64}"):
        pass
    assert elsewhere.told == []


def test_logins_are_read_as_docker_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    auth = base64.b64encode(b"me:a:b").decode()
    auths = {"https://index.docker.io/v1/": {"auth": auth}, "r.example:5000": {}}
    file.write_text(json.dumps({"auths": auths, "credsStore": "desktop"}))
    assert logins(file) == {"registry-1.docker.io": ("me", "a:b")}
    file.write_text("[]")
    with pytest.raises(ImageDenied):
        logins(file)
