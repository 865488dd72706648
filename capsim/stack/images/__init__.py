"""Images and starts: what a Dockerfile builds, how nodes pull it, how long until it answers."""
