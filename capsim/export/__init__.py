"""Export: slide decks with native charts, self-contained pages, pictures.

cs.deck([fig1, fig2], title="Q3 plan").save("plan.pptx")
cs.export.save_html([fig1, fig2], "plan.html", title="Q3 plan")
cs.export.save_image(fig1, "use.svg")
"""

from capsim.export.deck import Deck, deck
from capsim.export.html import save_html
from capsim.export.images import ExportError, save_image, save_images

__all__ = ["Deck", "ExportError", "deck", "save_html", "save_image", "save_images"]
