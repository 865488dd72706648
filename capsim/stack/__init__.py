"""The layers of a platform."""
