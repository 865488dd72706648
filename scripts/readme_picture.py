"""Draws the picture of the README: the openb cluster as capsim plans it."""

from pathlib import Path

import capsim as cs

ROOT = Path(__file__).parents[1]

plan = cs.place(cs.read(ROOT / "data" / "clusters" / "openb"))
figure = cs.figures.cluster_graph(plan)
target = cs.export.save_image(figure, ROOT / "docs" / "images" / "openb.png", scale=1.5)
print(target.relative_to(ROOT))
