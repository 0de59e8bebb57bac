"""DynamoDB's numbers: up to 38 digits, 1E-130 to 9.9E+125, positive or negative.

Decides how a number is written and how it is ordered as bytes. What it is used for is nobody's
business here.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, localcontext

from lambdad.neighbours.dynamodb.errors import ValidationException

DIGITS_MAX = 38
_EXPONENT_MIN, _EXPONENT_MAX = -130, 125
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
_SHORT = re.compile(r"0|-?[1-9]\d{0,37}", re.ASCII)
# So wide that a sum of any two numbers is exact.
_EXACT = Context(prec=300)
_OFFSET = 512


def canonical(text: str) -> str:
    """Return a number as DynamoDB writes it: without exponent and needless zeros.

    Raises:
        ValidationException: it is none, has too many digits, or is too great or small.
    """
    if _SHORT.fullmatch(text):
        return text
    trimmed = text.strip()
    if _NUMBER.fullmatch(trimmed) is None:
        raise ValidationException(
            "The parameter cannot be converted to a numeric value"
            + (f": {text}" if text else f": {text}".rstrip())
        )
    return written(Decimal(trimmed))


def written(number: Decimal) -> str:
    """Return a number in DynamoDB's form; raises like :func:`canonical`."""
    if number.is_zero():
        return "0"
    magnitude = number.adjusted()
    if magnitude > _EXPONENT_MAX:
        raise ValidationException(
            "Number overflow. Attempting to store a number with magnitude larger than supported "
            "range"
        )
    if magnitude < _EXPONENT_MIN:
        raise ValidationException(
            "Number underflow. Attempting to store a number with magnitude smaller than supported "
            "range"
        )
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > DIGITS_MAX:
        raise ValidationException("Attempting to store more than 38 significant digits in a Number")
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def add(left: str, right: str) -> str:
    """Return the exact sum; raises like :func:`canonical`."""
    with localcontext(_EXACT):
        return written(Decimal(left) + Decimal(right))


def subtract(left: str, right: str) -> str:
    """Return the exact difference; raises like :func:`canonical`."""
    with localcontext(_EXACT):
        return written(Decimal(left) - Decimal(right))


def ordered(number: str) -> bytes:
    """Return bytes that compare as the numbers do, of a number in its canonical form."""
    value = Decimal(number)
    if value.is_zero():
        return b"\x80"
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0").encode()
    exponent = (value.adjusted() + _OFFSET).to_bytes(2, "big")
    if value > 0:
        return b"\x81" + exponent + digits
    # The terminator makes -1 greater than -1.5, of which it is a prefix.
    return b"\x7f" + bytes(255 - byte for byte in exponent + digits) + b"\xff"


def size(number: str) -> int:
    """Bytes that a number counts."""
    digits = number.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + number.startswith("-")
