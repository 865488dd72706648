"""Sliders in a real browser: `python -m benchmarks.slider [NAME]` prints a JSON row a slider.

A JupyterLab is started, a notebook with the panel on openb is opened in Chromium and run, and
ArrowRight is pressed on a slider. Two times are taken in the page, from the key press: until
plotly says that the figure is drawn (plotly_afterplot), and until the second animation frame
after that, when it is on the screen ("painted"). The panel works out one step ahead while the
slider rests, so PageUp, which jumps five steps, is measured too ("jump"). A slider that redraws the
same figure without asking the engine is measured beside each: what it takes is Jupyter, plotly and
this machine.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[1]
_OPENB = ('(cs.read("../data/clusters/openb"))', "openb, 1,523 machines, 8,152 pods")
#: Each panel: its argument, what that is, and its sliders: name of the row to words beside it.
PANELS = {
    "how_many_machines": (
        *_OPENB,
        {
            "growth": "Growth of the load",
            "headroom": "Kept free everywhere",
            "overcommit": "Overcommit of CPU",
            "machines": "Machines to add",
        },
    ),
    "will_it_schedule": (*_OPENB, {"drained": "Nodes to drain", "factor": "Requests (×)"}),
    "vm_or_container": ("()", "seven stacks", {"host": "Cores of the host"}),
    "cpu_limits": ("()", "one service", {"limit": "CPU limit (cores)", "threads": "Threads"}),
    "who_shares_my_kernel": (
        '(cs.read("../data/clusters/sample"))',
        "sample, 20 machines, 80 pods",
        {"density": "Most pods on a machine"},
    ),
}
SLIDERS = {name: words for _, _, sliders in PANELS.values() for name, words in sliders.items()}
PRESSES, JUMPS, EMPTY_PRESSES, GAP_MS = 50, 10, 12, 400
_EMPTY = "Empty redraw"
#: A slider that stands at its upper end is moved the other way.
_BACK = {"ArrowRight": "ArrowLeft", "PageUp": "PageDown"}
_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
_CELL = f"""\
import capsim as cs
import ipywidgets as widgets
import numpy as np
panel = cs.panels.PANEL
empty = widgets.IntSlider(description="{_EMPTY}", max=100)
def redraw(change):
    with panel.figure.batch_update():
        for trace in panel.figure.data:
            for axis in "yx":
                values = np.asarray(trace[axis])
                if values.dtype.kind in "fiu" and len(values):
                    trace[axis] = values + (0.001 if change.new % 2 else -0.001)
                    break
empty.observe(redraw, "value")
widgets.VBox([empty, panel.widget])
"""


def chromium() -> str | None:
    """Where Chromium is."""
    names = (os.environ.get("BROWSER_PATH"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs."""

    url: str
    token: str


@contextmanager
def jupyter_lab(folder: Path) -> Iterator[Lab]:
    """A JupyterLab on a free local port, with settings of its own; ends with its kernels."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16))
    own = folder / ".jupyter"
    silent = own / "settings" / "@jupyterlab" / "apputils-extension"
    silent.mkdir(parents=True)
    (silent / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    places = {
        "JUPYTER_CONFIG_DIR": own / "config",
        "JUPYTER_RUNTIME_DIR": own / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": own / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": own / "workspaces",
        "IPYTHONDIR": own / "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", str(folder), "--no-browser", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={lab.token}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with (folder / "lab.log").open("w") as log:
        environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(lab, server)
            yield lab
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{lab.url}/api?token={lab.token}", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise RuntimeError("JupyterLab did not start; see lab.log in its folder.")


@contextmanager
def browser_page(width: int = 1280, height: int = 1400) -> Iterator[Any]:
    """A page of a headless Chromium; `page.problems` collects what its console complains of."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=_ARGUMENTS.split())
        page = browser.new_page(viewport={"width": width, "height": height})
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda said: _note(page.problems, said))
        try:
            yield page
        finally:
            browser.close()


def _note(problems: list[str], said: Any) -> None:
    if said.type == "error":
        problems.append(f"{said.text} ({said.location.get('url', '')})")


_NOTEBOOK = "window.jupyterapp?.shell.currentWidget"
_KERNEL = f"{_NOTEBOOK}?.context?.sessionContext?.session?.kernel"


def run_notebook(page: Any, lab: Lab, path: str) -> None:
    """Open a notebook, run all its cells and wait until the panel's figure is drawn."""
    page.goto(f"{lab.url}/lab/tree/{path}?reset&token={lab.token}")
    page.wait_for_function(f"{_KERNEL}?.status === 'idle'", timeout=120_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('runmenu:run-all') }")
    page.wait_for_function(
        f"""() => {_NOTEBOOK}.content.widgets
            .filter(cell => cell.model.type === 'code')
            .every(cell => cell.model.executionCount !== null)
            && {_KERNEL}.status === 'idle'""",
        timeout=300_000,
    )
    page.locator(".widget-slider").first.scroll_into_view_if_needed()
    page.wait_for_selector(".widget-vbox .js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_timeout(3000)
    page.evaluate(_PROBE)


def stop_kernel(page: Any) -> None:
    """End the notebook's kernel, so that the next one has the machine to itself."""
    page.evaluate(f"async () => {{ await {_NOTEBOOK}.context.sessionContext.shutdown() }}")


_PROBE = """() => {
    const figure = document.querySelector('.widget-vbox .js-plotly-plot');
    window.moves = [];
    document.addEventListener('keydown', event => {
        if (/^(Arrow|Page)/.test(event.key)) window.moves.push({pressed: performance.now()});
    }, true);
    figure.on('plotly_afterplot', () => {
        const move = window.moves.find(each => each.drawn === undefined);
        if (move === undefined) return;
        move.drawn = performance.now() - move.pressed;
        requestAnimationFrame(() => requestAnimationFrame(() => {
            move.painted = performance.now() - move.pressed;
        }));
    });
}"""


@dataclass(frozen=True)
class Moves:
    """Milliseconds of moves of a slider, in order, from the key press."""

    drawn: tuple[float, ...]
    painted: tuple[float, ...]

    def summary(self) -> dict[str, float]:
        """Median and 95th percentile; the first move is told apart."""
        return {
            "p50_drawn_ms": _ms(statistics.median(self.drawn)),
            "p95_drawn_ms": _ms(_percentile(self.drawn, 0.95)),
            "p50_painted_ms": _ms(statistics.median(self.painted)),
            "first_ms": _ms(self.drawn[0]),
            "moves": len(self.drawn),
        }


def _percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    return sorted(values)[max(0, -(-len(values) * int(100 * share) // 100) - 1)]


def _ms(value: float) -> float:
    return round(value, 1)


def press(page: Any, words: str, times: int, key: str = "ArrowRight") -> Moves:
    """Press a key on a slider, one press after the other has been drawn, as far as it goes.

    Raises: RuntimeError if a press is not followed by a redraw.
    """
    handle = page.locator(f".widget-slider:has-text('{words}') .noUi-handle").first
    handle.focus()
    page.evaluate("() => { window.moves.length = 0 }")
    end = "aria-valuemax"
    if handle.get_attribute("aria-valuenow") == handle.get_attribute(end):
        key, end = _BACK[key], "aria-valuemin"
    for number in range(times):
        if handle.get_attribute("aria-valuenow") == handle.get_attribute(end):
            break
        page.keyboard.press(key)
        page.wait_for_timeout(GAP_MS)
        try:
            page.wait_for_function(f"() => window.moves[{number}]?.painted", timeout=20_000)
        except Exception as error:
            raise RuntimeError(f"press {number + 1} of {words!r} was not drawn") from error
    moves = page.evaluate("() => window.moves.filter(move => move.painted !== undefined)")
    return Moves(tuple(m["drawn"] for m in moves), tuple(m["painted"] for m in moves))


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder that looks like the checkout to notebooks; what they write is thrown away."""
    with tempfile.TemporaryDirectory(prefix="capsim-lab-") as name:
        folder = Path(name)
        (folder / "notebooks").mkdir()
        (folder / "data").symlink_to(ROOT / "data", target_is_directory=True)
        yield folder


def measure(slider: str, lab: Lab, folder: Path) -> dict[str, Any]:
    """The row of one slider: its first move in a fresh page, then the others, then empty ones."""
    panel, argument, size = next(
        (panel, argument, size)
        for panel, (argument, size, sliders) in PANELS.items()
        if slider in sliders
    )
    cell = nbformat.v4.new_code_cell(_CELL.replace("PANEL", panel + argument))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "notebooks" / f"{slider}.ipynb")
    with browser_page() as page:
        run_notebook(page, lab, f"notebooks/{slider}.ipynb")
        moves = press(page, SLIDERS[slider], PRESSES)
        page.keyboard.press("Home")
        page.wait_for_timeout(2000)
        jumps = press(page, SLIDERS[slider], JUMPS, "PageUp").summary()
        empty = press(page, _EMPTY, EMPTY_PRESSES).summary()
        stop_kernel(page)
    told = moves.summary()
    return {
        "name": f"slider {slider}",
        "size": size,
        **told,
        "p50_jump_drawn_ms": jumps["p50_drawn_ms"],
        "p95_jump_drawn_ms": jumps["p95_drawn_ms"],
        "empty_p50_drawn_ms": empty["p50_drawn_ms"],
        "empty_p95_drawn_ms": empty["p95_drawn_ms"],
        "ratio_to_empty": round(told["p50_drawn_ms"] / empty["p50_drawn_ms"], 2),
        "load": round(os.getloadavg()[0], 1),
    }


def main(names: Sequence[str]) -> None:
    """Print a row for each slider named, or for all."""
    if chromium() is None:
        raise SystemExit("No Chromium found: sliders cannot be measured. Set BROWSER_PATH.")
    with workshop() as folder, jupyter_lab(folder) as lab:
        for name in names or SLIDERS:
            print(json.dumps(measure(name, lab, folder)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
