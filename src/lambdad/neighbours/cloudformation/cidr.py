"""`Fn::Cidr`: blocks of addresses out of a larger one. Pure."""

from __future__ import annotations

import ipaddress
from itertools import islice
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError

_COUNT_MAX = 256


def subnets(argument: Any) -> list[str]:
    """Return the first `count` blocks with `bits` bits for hosts, of `[block, count, bits]`.

    Raises:
        ValidationError: the argument is something else, or the block has not that many.
    """
    try:
        block, count, *rest = argument
        network = ipaddress.ip_network(str(block), strict=False)
        number, bits = int(count), int(rest[0]) if rest else 8
        prefix = network.max_prefixlen - bits
        if not 1 <= number <= _COUNT_MAX or prefix < network.prefixlen:
            raise ValueError(argument)
        found = list(islice(network.subnets(new_prefix=prefix), number))
    except (TypeError, ValueError) as error:
        raise _problem(argument) from error
    if len(found) < number:
        raise _problem(argument)
    return [str(each) for each in found]


def _problem(argument: Any) -> ValidationError:
    return ValidationError(
        "Template error: Fn::Cidr requires a list of an IP block, a count between 1 and 256 and "
        f"the number of subnet bits that fit into it, not {argument}"
    )
