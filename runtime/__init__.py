"""Where the world begins: the engine that runs a turn, the guest host, the doors (net, clock, tape, config), the CLI."""
