"""Benchmarks: run one as ``.venv/bin/python -m benchmarks.NAME``; its last line is one JSON object."""
