"""What an attack reports: the name of the error that stopped it."""

# ruff: noqa: BLE001

import errno


def outcome(attempt, *arguments):
    """`ok` or the errno's name."""
    try:
        attempt(*arguments)
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except Exception as error:
        return type(error).__name__
    return "ok"
