"""What happened to it? Orders, positions, money. Pure. Imports connectors, never risk or runtime."""
