"""The gate a second time, written from docs/gate.md alone, and the driver that asks both the same.

Naive on purpose: lists, plain integers, exact fractions; every sum is made anew from all orders. Nothing here imports
`risk/checks.py`, `risk/exposure.py` or `risk/gate.py` but the driver, which asks the gate and compares its answers.
"""
