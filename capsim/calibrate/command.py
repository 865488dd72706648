"""What `capsim calibrate` does: measure, write the profile, say what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from capsim.calibrate.check import check_text
from capsim.calibrate.run import busy_share, calibrate, profile_format

_BUSY = 0.3


def run(
    out: Path | None, *, check: bool, quick: bool, begin: Callable[[str, int, int], None]
) -> tuple[str, int]:
    """The text for standard output and the exit code: 128 + n when signal n ended it early.

    Raises: ModelError for a profile that cannot be written, before anything is measured.
    """
    if out is not None:
        profile_format(out)
    busy = busy_share()
    found = calibrate(quick=quick, begin=begin)
    parts = [str(found)]
    if busy > _BUSY:
        parts.append(
            f"The host was {busy:.0%} busy with other work before it began, so times are too long: "
            "run it again on a quiet host."
        )
    if check:
        parts.append(check_text(found))
    if out is not None:
        found.save(out)
        parts.append(f"Wrote {out}: {len(found.measured)} rows.")
    if found.signal_number:
        parts.append("Interrupted; its processes and control groups are gone.")
    return "\n".join(parts), 128 + found.signal_number if found.signal_number else 0
