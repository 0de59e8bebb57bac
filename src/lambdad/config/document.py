"""The page `docs/configuration.md`, made from the settings themselves.

`python -m lambdad.config.document` prints it.
"""

from __future__ import annotations

import inspect
import math
import sys
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from lambdad.config.keys import Key, keys, sections, tables
from lambdad.config.load import FILE_NAME, variable

INTRODUCTION = f"""\
# Configuration

<!-- Made from src/lambdad/config/sections.py; do not edit. -->

A setting is taken from the first of these that has it:

1. an option of `lambdad serve`, for example `--port 4567`;
2. an environment variable, for example `LAMBDAD_SERVER_PORT=4567`;
3. a TOML file: the one named by `--config`, else `{FILE_NAME}` in the working directory;
4. the default.

```toml
[server]
port = 4567

[sandbox]
allow_private = ["10.0.0.0/8:5432", "192.168.1.7"]
```

In an environment variable a list is written with commas, a switch as `true` or `false`, and an
empty value unsets a setting that has no default. A key that does not exist is an error, so that a
misspelt one is noticed.
"""


_TABLE_EXAMPLES = {
    "alb": """\
```toml
[alb]
"127.0.0.1:8080" = "arn:aws:lambda:us-east-1:000000000000:function:shop"
"127.0.0.1:8081" = "arn:aws:lambda:us-east-1:000000000000:function:shop:live multi-value-headers"
```
""",
    "brokers": """\
```toml
[brokers]
"arn:aws:kafka:us-east-1:000000000000:cluster/orders/0123abcd-1" = "10.0.0.5:9092,10.0.0.6:9092"
"arn:aws:mq:us-east-1:000000000000:broker:mail:b-0123abcd" = "amqp://10.0.0.7:5672"
"10.0.0.8:9092" = "SASL_PLAINTEXT://10.0.0.8:9092"
```
""",
    "filesystems": """\
```toml
[filesystems]
"arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0" = "/srv/data"
```
""",
}


def configuration_page() -> str:
    """Return docs/configuration.md."""
    parts = [INTRODUCTION]
    for name, section in sections().items():
        purpose = inspect.cleandoc(section.__doc__ or "").partition("\n")[0]
        rows = [_row(key) for key in keys().values() if key.section == name]
        parts.append(
            f"## `[{name}]`\n\n{purpose}\n\n"
            "| key | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
        )
    for name, words in tables().items():
        parts.append(
            f"## `[{name}]`\n\n{words[:1].upper()}{words[1:]} Only the TOML file can have it:\n\n"
            f"{_TABLE_EXAMPLES[name]}"
        )
    return "\n".join(parts)


def _row(key: Key) -> str:
    meaning = key.words.rstrip(".").replace("|", "\\|")
    meaning = meaning[:1].upper() + meaning[1:] + _bounds(key) + "."
    return (
        f"| `{key.field}`<br>`{variable(key)}` | {_kind(key.kind)} | {_default(key.default)} "
        f"| {meaning} |"
    )


def _bounds(key: Key) -> str:
    if key.kind not in (int, float) or (key.low == 0 and math.isinf(key.high)):
        return ""
    if math.isinf(key.high):
        return f"; at least {key.low:.10g}"
    return f"; {key.low:.10g} to {key.high:.10g}"


def _kind(kind: Any) -> str:
    arguments = get_args(kind)
    if NoneType in arguments:
        return _kind(arguments[0])
    if get_origin(kind) is tuple:
        return f"list of {_kind(arguments[0])}s"
    return {bool: "switch", int: "integer", float: "number", str: "string", Path: "path"}[kind]


def _default(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
