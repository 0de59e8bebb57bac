"""What stands between the Runtime API and a Go program that is asked by remote procedure calls."""
