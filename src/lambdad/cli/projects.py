"""Starter projects: what `lambdad init` writes for each language.

The code is in the folder `starters`; what goes around it is made here, the same for all. Pure but
for reading that folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_STARTERS = Path(__file__).parent / "starters"
_EVENT = {"name": "world"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One that there is a starter for.

    Attributes:
        name: of its folder, and what `--runtime` may say instead of an identifier.
        runtime: the identifier that it takes when none is said.
        handler: as the function is configured.
        prefix: what its identifiers begin with.
        built: whether `build.sh` makes `package`; else `src` is deployed as it is.
        marks: files by which a folder with code is known to be in this language.
        memory_mb: enough for it.
    """

    name: str
    runtime: str
    handler: str
    prefix: str
    built: bool = False
    marks: tuple[str, ...] = ()
    memory_mb: int = 128

    @property
    def code(self) -> str:
        """The folder that is deployed."""
        return "package" if self.built else "src"


LANGUAGES = (
    Language(
        name="python",
        runtime="python3.13",
        handler="app.handler",
        prefix="python",
        marks=("app.py", "lambda_function.py"),
    ),
    Language(
        name="nodejs",
        runtime="nodejs22.x",
        handler="app.handler",
        prefix="nodejs",
        marks=("app.mjs", "app.js", "index.mjs", "index.js"),
    ),
    Language(
        name="ruby",
        runtime="ruby3.4",
        handler="app.handler",
        prefix="ruby",
        marks=("app.rb", "lambda_function.rb"),
    ),
    Language(
        name="java",
        runtime="java21",
        handler="example.Handler::handleRequest",
        prefix="java",
        built=True,
        memory_mb=512,
    ),
    Language(
        name="dotnet",
        runtime="dotnet8",
        handler="Function::Example.Function::Handle",
        prefix="dotnet",
        built=True,
        memory_mb=512,
    ),
    Language(
        name="go", runtime="provided.al2023", handler="bootstrap", prefix="provided", built=True
    ),
    Language(
        name="rust", runtime="provided.al2023", handler="bootstrap", prefix="provided", built=True
    ),
    Language(
        name="shell",
        runtime="provided.al2023",
        handler="bootstrap",
        prefix="provided",
        marks=("bootstrap",),
    ),
)


def language_of(runtime: str) -> Language | None:
    """Return the language that is meant by its name or by an identifier, None when several are."""
    for language in LANGUAGES:
        if runtime == language.name:
            return language
    found = [language for language in LANGUAGES if runtime.startswith(language.prefix)]
    return found[0] if len(found) == 1 else None


def project(name: str, language: Language, runtime: str) -> Mapping[str, tuple[str, bool]]:
    """Return the files of a project: text and whether it is executable, by path."""
    folder = _STARTERS / language.name
    files = {
        str(path.relative_to(folder)): (path.read_text(), bool(path.stat().st_mode & 0o100))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    framework = f"net{runtime.removeprefix('dotnet')}.0"
    if "Function.csproj" in files:
        text = files["Function.csproj"][0].replace("net8.0", framework)
        files["Function.csproj"] = (text, False)
    files["event.json"] = (json.dumps(_EVENT) + "\n", False)
    files["template.yaml"] = (_template(language, runtime), False)
    files["README.md"] = (_readme(name, language, runtime), False)
    files[".gitignore"] = ("package/\ntarget/\nbin/\nobj/\n*.zip\n", False)
    return files


def _template(language: Language, runtime: str) -> str:
    return f"""\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: {language.code}/
      Handler: {language.handler}
      Runtime: {runtime}
      MemorySize: {language.memory_mb}
      Timeout: 10
"""


def _readme(name: str, language: Language, runtime: str) -> str:
    build = "./build.sh\n" if language.built else ""
    edit = (
        "`./build.sh` whenever the code has changed; the function is replaced by itself."
        if language.built
        else "Whatever is saved serves at once."
    )
    return f"""\
# {name}

A function in {runtime} that greets. The code is in `{"." if language.built else "src"}`, an event
in `event.json`, and `template.yaml` describes the function for AWS SAM.

While it is being written, with a lambdad that allows it (`lambdad serve --hot-reload`):

```sh
{build}lambdad dev . --name {name}
```

That shows the log; in another terminal:

```sh
lambdad invoke {name} --payload-file event.json
```

{edit}

Deployed for good:

```sh
export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=test \\
  AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
{build}(cd {language.code} && zip -qr ../function.zip .)
aws lambda create-function --function-name {name} --runtime {runtime} \\
  --handler {language.handler} --memory-size {language.memory_mb} --timeout 10 \\
  --role arn:aws:iam::000000000000:role/any --zip-file fileb://function.zip
```
"""
