"""How a process is confined."""
