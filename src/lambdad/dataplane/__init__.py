"""What runs now. Goes on while the control plane is busy or broken."""
