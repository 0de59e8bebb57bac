"""Settings: the only reader of the environment and of TOML. One frozen section per component."""
