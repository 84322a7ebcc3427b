"""What a market is and how a venue speaks it: pure, no clock, no socket, no float that decides money."""
