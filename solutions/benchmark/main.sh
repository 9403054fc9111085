#!/bin/sh
set -eu
# One BLAS thread each: the workers of main.py already keep every processor busy.
export OMP_NUM_THREADS=1
exec python main.py
