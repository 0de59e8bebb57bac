"""Who polls, by kind of source."""
