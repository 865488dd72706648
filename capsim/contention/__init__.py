"""What units get of a shared machine, and how slow that makes them."""
