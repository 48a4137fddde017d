"""How much the input scanner finds, how often it is wrong, and what it costs.

`python -m benchmarks.scanner --data DIR`: DIR holds `*.jsonl`, a record a line.
"""
