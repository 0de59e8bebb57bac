"""Both engines keep what `lambdad.storage.base` promises."""

from lambdad.testing.store_contract import (
    FunctionStoreContract,
    LogStoreContract,
    ResourceStoreContract,
)


class TestSqliteFunctions(FunctionStoreContract):
    engine_name = "sqlite"


class TestMemoryFunctions(FunctionStoreContract):
    engine_name = "memory"
    durable = False


class TestSqliteResources(ResourceStoreContract):
    engine_name = "sqlite"


class TestMemoryResources(ResourceStoreContract):
    engine_name = "memory"
    durable = False


class TestSqliteLogs(LogStoreContract):
    engine_name = "sqlite"


class TestMemoryLogs(LogStoreContract):
    engine_name = "memory"
    durable = False
