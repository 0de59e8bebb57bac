"""The entry of the hostile function: runs the attack that the event names."""

import importlib


def handler(event, context):
    module, name = event["attack"].split(".")
    attack = getattr(importlib.import_module(module), name)
    how = dict(event.get("how") or {})
    if "context" in attack.__code__.co_varnames[: attack.__code__.co_argcount]:
        how["context"] = context
    return attack(**how)
