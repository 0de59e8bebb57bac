"""The Telemetry API, version 2022-07-01, and the Logs API before it, served into each sandbox."""
