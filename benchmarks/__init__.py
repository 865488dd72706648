"""Speed on this machine, side by side with yardsticks; run by `capsim bench`."""
