"""calibrate: measures this Linux host, and holds the model against it."""

from capsim.calibrate.check import check_rows
from capsim.calibrate.run import Calibration, calibrate

__all__ = ["Calibration", "calibrate", "check_rows"]
