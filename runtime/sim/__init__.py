"""Stand-ins for the world: the paper venue, Kraken's side of the wire."""
