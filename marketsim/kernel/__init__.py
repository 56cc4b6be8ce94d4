"""Time, chance and the order of events. The kernel knows no market."""
