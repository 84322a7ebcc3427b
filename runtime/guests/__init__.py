"""Guests that ship with the wheel: `demo.wasm`, built from `fixtures/algos/demo` by `fixtures/algos/build.sh`."""

from importlib.resources import files


def demo_wasm() -> bytes:
    """The module of the demo market maker (generation 0.4)."""
    return files(__name__).joinpath("demo.wasm").read_bytes()
