"""Who may pass a front door, where somebody else than lambdad decides: tokens and functions."""
