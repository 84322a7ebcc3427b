"""What sessions of central exchanges share; nothing here knows one of them."""
