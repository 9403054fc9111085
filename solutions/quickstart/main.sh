#!/bin/sh
set -eu
exec python main.py
