"""AWS's runtime interface client for Java: which files it is, and where they are kept.

It is fetched from Maven Central when an operator asks for it, never by itself. What is fetched
must be exactly the files whose digests stand here.
"""

from __future__ import annotations

import hashlib
import http.client
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from lambdad.domain.errors import HostUnfit

MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"
_TIMEOUT_S = 60.0

# Path below a Maven repository, and SHA-256.
_FILES = {
    "com/amazonaws/aws-lambda-java-runtime-interface-client/2.9.0/"
    "aws-lambda-java-runtime-interface-client-2.9.0.jar": (
        "26568a5f63bf9e921567e77661be425650abc8972bae2aa0b7e99bab4e4239d9"
    ),
    "com/amazonaws/aws-lambda-java-core/1.4.0/aws-lambda-java-core-1.4.0.jar": (
        "575c24393cc1ad645e83e618956eabd89ffe8cc09efae2cb62bc6589154d68ed"
    ),
    "com/amazonaws/aws-lambda-java-serialization/1.2.0/aws-lambda-java-serialization-1.2.0.jar": (
        "1513c1f945a3213f916a4b2de1760c97b51d84d110f82bbbcf9cfac53d5651e7"
    ),
    "software/amazon/awssdk/utils-lite/2.34.0/utils-lite-2.34.0.jar": (
        "efaf784f07ae526f0b5c89d71ef21cf16636131c47d44616e3df9bedc3f4f89a"
    ),
    "software/amazon/awssdk/annotations/2.34.0/annotations-2.34.0.jar": (
        "fafdcb55f4e5af603f5219f4a2b080aa0decb562a7c0944f7a7eca82dd47e487"
    ),
}
JARS = tuple(path.rpartition("/")[2] for path in _FILES)


def default_place(cache_dir: Path) -> Path:
    """Return where the client is kept below the directory of runtimes."""
    return cache_dir / "java-client"


def is_complete(place: Path) -> bool:
    """Whether every file of the client is there."""
    return all((place / name).is_file() for name in JARS)


def install(place: Path, repository: str = MAVEN_CENTRAL) -> None:
    """Fetch what is missing into `place`. Takes seconds; for a thread or a command.

    Raises:
        HostUnfit: the repository cannot be reached, sent something else, or the disk refused.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        for path, digest in _FILES.items():
            target = place / path.rpartition("/")[2]
            if not target.is_file():
                _keep(_fetch(f"{repository.rstrip('/')}/{path}", digest), target)
    except (OSError, http.client.HTTPException) as error:
        raise HostUnfit(
            f"AWS's client for Java cannot be put into {place}: {error}.",
            f"Give this host access to {repository}, or copy {', '.join(JARS)} there by hand.",
        ) from error


def _fetch(url: str, digest: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310
            content: bytes = response.read()
    except urllib.error.URLError as error:
        raise OSError(f"{url}: {error.reason}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise OSError(f"{url} is not the file that lambdad was tested with")
    return content


def _keep(content: bytes, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(content)
    new = Path(file.name)
    new.chmod(0o644)
    new.replace(target)
