"""lambdad with one flaw, named first: what a test that finds nothing must find here."""

import os
import sqlite3
import sys

from lambdad.cli.main import main


class _Careless(sqlite3.Connection):
    def execute(self, statement, *parameters):
        return super().execute(statement.replace("= FULL", "= OFF"), *parameters)


def database_not_flushed():
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **options: connect(*args, **options, factory=_Careless)


def files_not_flushed():
    os.fsync = lambda descriptor: None


globals()[sys.argv.pop(1)]()
main()
