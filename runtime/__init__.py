"""Where the world begins: the engine that runs a turn, the guest host, the doors to the world, the CLI."""

__version__ = "0.1.0"
