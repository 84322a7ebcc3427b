"""What simulated central exchanges share: engine, faults, sockets and REST around it; a venue adds its own words."""
