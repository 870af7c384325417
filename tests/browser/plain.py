"""Pages that look like those of hosts, with the widget's built front end and a stub in place of Jupyter's model."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import torch
from torch import nn

import lr_widget
from lr_widget import LRFinderWidget
from lr_widget.widget.chart import look

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

_STATIC = Path(lr_widget.__file__).parent / "widget" / "static"

_JUPYTER_LIGHT = """:root {
    --jp-layout-color0: #fff; --jp-layout-color1: #fff; --jp-layout-color2: #eee; --jp-border-color0: #bdbdbd;
    --jp-border-color1: #bdbdbd; --jp-border-color2: #e0e0e0; --jp-content-font-color0: #000;
    --jp-content-font-color1: rgba(0, 0, 0, 0.87); --jp-content-font-color2: rgba(0, 0, 0, 0.54);
}"""


class Host(NamedTuple):
    """A page that a host shows an output in.

    Attributes:
        name: of the host.
        theme: that the widget has to find.
        css: of the page.
        html, body: attributes of these elements.
        output: attributes of the element around the widget.
        paper: the colour of the page around the frame that the host puts outputs in, or None for no frame.
    """

    name: str
    theme: str
    css: str
    html: str = ""
    body: str = ""
    output: str = ""
    paper: str | None = None


_VSCODE_WIDGETS = ".cell-output-ipywidget-background { background: white !important; }"
_VSCODE_DARK = "html { --vscode-editor-background: #1f1f1f; } body { color: #cccccc; }" + _VSCODE_WIDGETS
_VSCODE_LIGHT = "html { --vscode-editor-background: #ffffff; } body { color: #3b3b3b; }" + _VSCODE_WIDGETS
_IN_CARD = 'class="cell-output-ipywidget-background"'
HOSTS = [
    Host("VS Code, dark", "dark", _VSCODE_DARK, body='class="vscode-dark"', output=_IN_CARD, paper="#1f1f1f"),
    Host("VS Code, light", "light", _VSCODE_LIGHT, body='class="vscode-light"', output=_IN_CARD, paper="#ffffff"),
    Host(
        "VS Code, dark, in a box of widgets",
        "light",  # they stand on VS Code's white card
        _VSCODE_DARK,
        body='class="vscode-dark"',
        output=f'{_IN_CARD}><div class="widget-box"',
        paper="#1f1f1f",
    ),
    Host(
        "VS Code, dark, high contrast",
        "dark",
        "body { color: #fff; }",
        body='class="vscode-high-contrast"',
        paper="#000000",
    ),
    Host(
        "VS Code, light, high contrast",
        "light",
        "body { color: #292929; }",
        body='class="vscode-high-contrast-light vscode-high-contrast"',
        paper="#ffffff",
    ),
    Host("Colab, dark", "dark", _JUPYTER_LIGHT + "body { background: #383838; color: #fff; }", html='theme="dark"'),
    Host("Colab, dark, without a background", "dark", _JUPYTER_LIGHT, html='theme="dark"', paper="#1e1e1e"),
    Host(
        "nbconvert, light",
        "light",
        _JUPYTER_LIGHT + "body { background: var(--jp-layout-color0); color: var(--jp-content-font-color1); }",
        body='data-jp-theme-light="true" data-jp-theme-name="JupyterLab Light"',
    ),
    Host("a dark page without marks", "dark", "body { background: #121212; color: #eee; }"),
    Host("a dark page of oklch colours", "dark", "body { background: oklch(0.25 0.02 250); color: oklch(0.95 0 0); }"),
    Host("a transparent frame with light text", "dark", "body { color: #ddd; }", paper="#1e1e1e"),
    Host("a page without any style", "light", ""),
]

_OPEN = """async ({ source, css, state, chart }) => {
    const style = document.createElement("style");
    style.textContent = css;
    document.head.append(style);
    const listeners = new Map();
    const view = () => {
        const el = document.createElement("div");
        el.className = "bqplot figure jupyter-widgets classic";
        el.style.cssText = "height: 300px; min-width: 0; width: 100%";
        el.innerHTML = chart;
        for (const part of el.querySelectorAll("[style]")) {
            part.style.cssText = part.style.cssText; // written as a browser writes it, like bqplot's
        }
        return { el, trigger() {}, remove() {} };
    };
    const model = {
        get: name => state[name],
        on: (event, callback) => listeners.set(event, callback),
        off() {},
        send() {},
        widget_manager: { get_model: async () => ({}), create_view: async () => view() },
    };
    const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    module.default.render({ model, el: document.getElementById("output") });
    window.show = next => {
        state = next;
        listeners.get("change:view_state")();
    };
}"""


def open_page(page: Page, host: Host, state: dict[str, Any]) -> Frame:
    """Show the widget on a page and return the frame that it is in."""
    # The first element opened in `output` is closed by the browser at the end.
    inner = f"<!doctype html><html {host.html}><head><style>{host.css}</style></head><body {host.body}>"
    inner += f'<div {host.output}><div id="output"></div></body></html>'
    if host.paper is None:
        page.set_content(inner)
        frame = page.main_frame
    else:
        page.set_content(
            f'<!doctype html><body style="margin: 0; background: {host.paper}"><iframe style="border: 0; width: 100%; '
            'height: 990px"></iframe></body>'
        )
        frame = page.frames[1]
        frame.set_content(inner)
    source, css = ((_STATIC / name).read_text() for name in ("widget.js", "widget.css"))
    frame.evaluate(_OPEN, {"source": source, "css": bqplot_css() + css, "state": state, "chart": chart()})
    frame.locator(".lrw .bqplot text").first.wait_for()
    return frame


def show(frame: Frame, state: dict[str, Any]) -> None:
    """Let the widget show another state."""
    frame.evaluate("async state => { window.show(state); await new Promise(requestAnimationFrame); }", state)


def bqplot_css() -> str:
    """Read the style sheet that the installed bqplot carries in its bundle."""
    bundle = (Path(sys.prefix) / "share" / "jupyter" / "nbextensions" / "bqplot" / "index.js").read_text()
    found = re.search(r'"(?:[^"\\]|\\.)*--bq-content-font-color(?:[^"\\]|\\.)*"', bundle)
    assert found is not None, "bqplot's bundle has no style sheet as a text"
    return str(json.loads(found[0]))


def chart() -> str:
    """A chart made of the elements, classes and inline styles that bqplot makes its own of."""

    def tick(text: str, x: int) -> str:
        return f'<g class="tick" transform="translate({x},0)"><line y2="-200"></line><text y="12">{text}</text></g>'

    def line(d: str, color: str, style: str) -> str:
        return f'<path class="line" fill="none" d="{d}" style="stroke: {color}; {style}"></path>'

    def label(text: str, x: int, color: str) -> str:
        style = f"font-size: 12px; font-weight: bold; fill: {color};"
        return f'<text class="label element" x="{x}" y="20" style="{style}">{text}</text>'

    axis = f'<path class="domain" d="M0,0H600"></path>{tick("1e-3", 100)}{tick("1e-2", 300)}'
    marks = [
        *(line("M0,50L200,60", tone.key, "stroke-width: 1.6;") for tone in (*look.PALETTE, look.VALIDATION)),
        line("M0,80L200,90", look.RAW.key, "stroke-width: 1;"),
        line("M400,0L400,200", look.UNSTABLE.key, "stroke-width: 1;"),
        line("M300,0L300,200", look.SUGGESTION.key, "stroke-width: 2;"),
        label("suggested 0.013", 310, look.SUGGESTION.key),
        line("M450,0L450,200", look.PICK.key, "stroke-width: 2;"),
        label("your pick 0.01", 460, look.PICK.key),
        f'<path class="dot" d="M150,100h8v8h-8Z" style="fill: {look.PROBE.key};"></path>',
    ]
    return (
        '<svg class="svg-background"><g transform="translate(64, 12)">'
        '<rect class="plotarea_background" width="600" height="200"></rect>'
        f'<g class="axis" transform="translate(0, 200)">{axis}<text class="axislabel" x="300" y="34">learning rate</text>'
        f'</g></g></svg><svg class="svg-figure"><g transform="translate(64, 12)">{"".join(marks)}</g></svg>'
    )


def states() -> dict[str, dict[str, Any]]:
    """The state of a widget before, in, and after runs, with each kind of note, a pick, and an error."""
    calls = 0

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 112:
            raise RuntimeError("the user's own error")
        return nn.functional.cross_entropy(outputs, targets)

    torch.manual_seed(0)
    model = nn.Linear(10, 2)
    inputs = torch.randn(64, 10)
    data = (inputs, (inputs.sum(1) > 0).long())
    optimizer = torch.optim.Adam(model.parameters())
    widget = LRFinderWidget(model, optimizer, loss_fn, data, dataloader_options={"batch_size": 16}, end_lr=1.0)
    made = {"idle": _state(widget)}
    widget.run()
    widget.selected_lr, widget.train_steps = 1e-2, 5000
    made["finished"] = finished = _state(widget)
    view = finished["view_state"]
    made["running"] = finished | {
        "status": "running",
        "progress": {"step": 62, "total": 100, "text": "step 62 / 100"},
        "view_state": view | {"can": ["stop", "pause"]},
        "answer": finished["answer"]
        | {"lr": "", "range": "", "confidence": "", "reason": "The rate comes at the end."},
    }
    question = {"text": "epochs is 10 and was not written by this widget. Overwrite it?", "yes": "Overwrite"}
    made["asked"] = finished | {"view_state": view | {"question": question, "refused": "start_lr"}}
    missing = {"lr": "", "is_missing": True, "advice": ["Extend end to 100 and run", "Use 300 steps and run"]}
    made["missing"] = finished | {"answer": finished["answer"] | missing}
    [run] = finished["chart_state"]["runs"]
    runs = [run | {"run_id": color + 1, "name": f"run {color}", "color": color} for color in range(len(look.PALETTE))]
    kinds = get_args(look.LegendKind)
    legend = [{"kind": kind, "text": kind} for kind in kinds]
    made["many runs"] = finished | {"chart_state": finished["chart_state"] | {"runs": runs, "legend": legend}}
    for kind in ("info", "good", "warning", "error"):
        note = {"kind": kind, "text": "A sentence in the status line."}
        made[f"note: {kind}"] = finished | {"view_state": view | {"note": note}}
    try:
        widget.run()
    except RuntimeError:
        made["failed"] = _state(widget)
    widget.close()
    return made


def _state(widget: LRFinderWidget) -> dict[str, Any]:
    return {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
