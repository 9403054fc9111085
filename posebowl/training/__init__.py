"""Training and export of the benchmark solution; runs in the cpu (or gpu) environment."""
