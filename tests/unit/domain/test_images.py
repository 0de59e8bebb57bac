"""Names of images, and what starts in one."""

from __future__ import annotations

import pytest

from lambdad.domain.images import ImageConfig, ImageDescription, parse_reference

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("r.example/a/b:v", ("registry", "r.example", "a/b", "v", None)),
        ("r.example:5000/a", ("registry", "r.example:5000", "a", "latest", None)),
        ("localhost/a:v", ("registry", "localhost", "a", "v", None)),
        (f"r.example/a@{DIGEST}", ("registry", "r.example", "a", None, DIGEST)),
        (f"r.example/a:v@{DIGEST}", ("registry", "r.example", "a", "v", DIGEST)),
        ("alpine", ("registry", "registry-1.docker.io", "library/alpine", "latest", None)),
        ("team/app:1", ("registry", "registry-1.docker.io", "team/app", "1", None)),
        ("oci:/a/b", ("oci", "/a/b", "", None, None)),
        ("oci:/a/b:v", ("oci", "/a/b", "", "v", None)),
        ("docker-archive:/a.tar:v", ("docker-archive", "/a.tar", "", "v", None)),
        (f"oci:/a@{DIGEST}", ("oci", "/a", "", None, DIGEST)),
    ],
)
def test_a_uri_says_where_an_image_is(uri: str, parts: tuple[str | None, ...]) -> None:
    found = parse_reference(uri)
    assert found is not None
    assert (found.kind, found.place, found.repository, found.tag, found.digest) == parts


@pytest.mark.parametrize(
    "uri",
    [
        *("", "A/B", "r.example/", "r.example/a:", "r.example/../a", "r.example/a b"),
        *("oci:relative", "oci:/a:", "oci:/a\0b", "r.example/a@sha256:abc", "r.example/a@"),
        *("http://r.example/a", "r.example/a?x=1", "r.example/a#b", "user@r.example/a", "-x/a:b:c"),
    ],
)
def test_what_names_no_image_is_none(uri: str) -> None:
    assert parse_reference(uri) is None


@pytest.mark.parametrize("uri", ["r.example/a:v", "oci:/a:v", "docker-archive:/a"])
def test_a_resolved_uri_names_the_same_place(uri: str) -> None:
    reference = parse_reference(uri)
    assert reference is not None
    resolved = parse_reference(reference.at(DIGEST))
    assert resolved is not None
    assert (resolved.kind, resolved.place) == (reference.kind, reference.place)
    assert resolved.digest == DIGEST


@pytest.mark.parametrize(
    ("entry_point", "command", "argv"),
    [
        (None, None, ("/e", "c")),
        (None, ("d",), ("/e", "d")),
        (("/f",), None, ("/f",)),
        (("/f",), ("d",), ("/f", "d")),
    ],
)
def test_a_function_may_replace_what_starts(
    entry_point: tuple[str, ...] | None, command: tuple[str, ...] | None, argv: tuple[str, ...]
) -> None:
    image = ImageDescription(entry_point=("/e",), command=("c",))
    assert image.argv(ImageConfig(entry_point=entry_point, command=command)) == argv
