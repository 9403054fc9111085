"""What a run uses, and the watchdog that ends it at a limit."""
