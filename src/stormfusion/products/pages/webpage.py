"""Pages that need nothing but themselves: templates, escapes, tables and pictures."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def asset(name: str) -> str:
    """A file that ships with the library."""
    folder = files("stormfusion.products.pages") / "page"
    return (folder / name).read_text(encoding="utf-8")


def fill(template: str, **parts: str) -> str:
    """
    Put parts into a template where it names them; nothing in them is looked at.

    Examples
    --------
    >>> fill("<p>{{one}}</p><p>{{two}}</p>", one="{{two}}", two="2")
    '<p>{{two}}</p><p>2</p>'
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def as_json(content: Any) -> str:
    r"""
    JSON that can stand in a script element, whatever texts it holds.

    Examples
    --------
    >>> as_json({"name": "</script>"})
    '{"name":"\\u003c/script>"}'
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def policy(*, style: str, script: str = "") -> str:
    """What a page allows itself: its own style and script, and no network."""
    named = f"script-src {_hash(script)}; " if script else ""
    return (
        f"default-src 'none'; {named}style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a title; the first column names the rows."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in columns)
    lines = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(each)}</td>" for each in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<h2>{escape(title)}</h2>\n<div class="scroll"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>\n"
    )


def picture(
    figure: "Figure", caption: str, kind: str = "", *, vector: bool = False
) -> str:
    """A figure inside the page, as lines if it is `vector`, and else as pixels."""
    buffer = io.BytesIO()
    tight: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.04}
    if vector:
        figure.savefig(buffer, format="svg", metadata={"Date": None}, **tight)
    else:
        figure.savefig(buffer, format="png", dpi=200, **tight)
    media = "image/svg+xml" if vector else "image/png"
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure class="{kind}"><figcaption>{escape(caption)}</figcaption>'
        f'<img alt="{escape(caption)}" src="data:{media};base64,{data}"></figure>'
    )
