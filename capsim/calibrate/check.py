"""Model against host: what the rules expect of the measured cases, and how far off they are."""

from __future__ import annotations

import pandas as pd

from capsim.calibrate.run import Calibration

#: By unit: how far a measurement may be from the model before it counts as different.
_TOLERANCE = {"cores": 0.05, "share": 0.05}


def check_rows(found: Calibration) -> pd.DataFrame:
    """One row a measured case that the model speaks about: measured, model, off, within.

    >>> check_rows(calibrate(quick=True))
    """
    compared = [each for each in found.measured if each.expected is not None]
    return pd.DataFrame(
        [
            {
                "parameter": each.parameter,
                "applies_to": each.applies_to,
                "unit": each.unit,
                "measured": each.value,
                "model": each.expected,
                "off": each.value - (each.expected or 0.0),
                "within": abs(each.value - (each.expected or 0.0)) <= _TOLERANCE[each.unit],
            }
            for each in compared
        ],
        columns=["parameter", "applies_to", "unit", "measured", "model", "off", "within"],
    )


def check_text(found: Calibration) -> str:
    """The comparison as lines for people, with a verdict at the end."""
    rows = check_rows(found)
    lines = [
        f"{each['parameter']:<24}{each['measured']:>8.3f} measured{each['model']:>8.3f} model"
        f"{each['off']:>+8.3f} {each['unit']:<6}{'' if each['within'] else ' DIFFERENT'}"
        f"  {each['applies_to']}"
        for each in rows.to_dict("records")
    ]
    close = int(rows["within"].sum())
    if not len(rows):
        verdict = "Nothing to compare: no quota or weight could be measured on this host."
    else:
        verdict = f"{close} of {len(rows)} cases agree with the model within 0.05."
    return "\n".join([*lines, verdict])
