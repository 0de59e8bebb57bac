"""The Python runtime: code that runs inside the sandbox, on the function's interpreter.

Standard library only, Python 3.6 and later, never imported by the server. In the sandbox these
modules are the package `lambdad_guest` in `/var/runtime`, which is why they import one another
relatively. Every import at start costs each cold start: what a plain invocation does not need
(`json`, `logging`, `traceback`, `re`) is imported where it is first used.
"""
