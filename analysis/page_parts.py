"""Pieces of an HTML page: head, tables, cards, figures, terms. Everything is text, escaped, and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from marketsim.analysis.page_words import Column
from marketsim.analysis.summary import number
from marketsim.domain.local_time import time_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from marketsim.analysis.picture import Picture
    from marketsim.domain.local_time import LocalTime

WIDE, NARROW = 8.2, 4.2  # inches of a figure on a desk and on a phone
STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;background:#f3f4f6;color:#111827;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:2.25rem 0 .75rem}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
p{margin:.35rem 0;max-width:46rem}
.lead{color:#4b5563}
.notice{background:#fef3c7;border-left:4px solid #d97706;padding:.6rem .9rem;margin:1rem 0}
nav{margin:.75rem 0 0;font-size:.9rem}
nav a{color:#0b5c8f;margin-right:1rem;white-space:nowrap;display:inline-block;padding:.15rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1.25rem 0}
.card{background:#fff;border:1px solid #e5e7eb;border-radius:.5rem;padding:.7rem .9rem}
.card b{display:block;font-size:1.4rem;line-height:1.3;font-variant-numeric:tabular-nums;white-space:nowrap}
.card span{color:#4b5563;font-size:.85rem;display:block;overflow-wrap:anywhere}
.box{background:#fff;border:1px solid #e5e7eb;border-radius:.5rem;margin:1rem 0;padding:.9rem}
figure{margin:0}
figure img{display:block;width:100%;height:auto}
.explorer canvas{display:block;width:100%;height:24rem;touch-action:pan-y;cursor:crosshair;outline-offset:2px}
figcaption{font-size:.92rem;color:#374151;padding-top:.5rem;max-width:46rem}
.scroll{overflow-x:auto;background:linear-gradient(90deg,#fff0,#fff 75%) right/3rem 100% no-repeat local,
linear-gradient(90deg,#9ca3af00,#9ca3afc0) right/1.25rem 100% no-repeat scroll}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:.35rem .4rem;text-align:right;white-space:nowrap;border-bottom:1px solid #e5e7eb}
th{font-weight:600;color:#374151}
thead th{vertical-align:bottom;border-bottom:2px solid #d1d5db;white-space:normal;line-height:1.25}
small{font-weight:400;color:#6b7280;font-size:.8em}
thead small{display:block;white-space:nowrap}
.box>p{font-size:.92rem;color:#374151;margin:0 0 .5rem}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:0 2rem}
.beside{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,7fr);gap:0 1rem}
.beside th,.beside>:first-child td{white-space:normal}.beside>:first-child td{overflow-wrap:break-word}
.facts div{display:flex;justify-content:space-between;border-bottom:1px solid #e5e7eb;padding:.3rem 0}
.facts dt{margin:0}.facts dd{font-variant-numeric:tabular-nums;color:#111827}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:#fff}
tbody tr:last-child>*{border-bottom:0}
.gain{color:#00694c}.loss{color:#a83f00}
dl{margin:0;font-size:.92rem}dt{font-weight:600;margin-top:.6rem}dd{margin:0;color:#374151}
summary{cursor:pointer;font-weight:600;padding:.2rem 0}
pre{overflow-x:auto;font-size:.82rem;line-height:1.45;margin:.75rem 0 0;white-space:pre}
footer{color:#4b5563;font-size:.85rem;margin-top:2rem}
@media (max-width:800px){.beside{display:block}}
@media (max-width:640px){.scroll tbody th{white-space:normal;min-width:6.5rem}}
@media (max-width:640px){.names tbody th,.beside td{white-space:normal}}
@media (max-width:640px){main{padding:1rem .6rem 2rem}.box{padding:.6rem}.card b{font-size:1.15rem}h1{font-size:1.4rem}}
@media print{body{background:#fff}.explorer{display:none}.box,.card{break-inside:avoid}}
"""

# A page that may load nothing at all: the browser itself enforces that no request leaves.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, body: Iterable[str], script: str = "") -> str:
    """A whole page. ``script``: the only one that it may run."""
    policy = POLICY + (f"; script-src '{hash_of(script)}'" if script else "")
    ending = f"<script>{script}</script>\n" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + f"\n</main>\n{ending}</body>\n</html>\n"
    )


def hash_of(script: str) -> str:
    """What a Content-Security-Policy calls a script that stands in the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def header(title: str, lead: str = "", links: Sequence[tuple[str, str]] = ()) -> str:
    """The top of a page: its title, what it is about, and where its sections are (id, words)."""
    words = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return f"<header><h1>{escape(title)}</h1>{words}{contents(links) if links else ''}</header>"


def contents(links: Sequence[tuple[str, str]]) -> str:
    """Where sections are: (id, words)."""
    return "<nav>" + "".join(f'<a href="#{name}">{escape(words)}</a>' for name, words in links) + "</nav>"


def notice(words: str) -> str:
    """What must not be overlooked."""
    return f'<p class="notice" role="alert">{escape(words)}</p>'


def box(words: str) -> str:
    """A sentence by itself."""
    return f'<p class="box">{escape(words)}</p>'


def terms_section(terms: Mapping[str, str]) -> str:
    """The section "Terms": what the words of the page mean, folded away."""
    return (
        '<section id="terms"><h2>Terms</h2><details class="box"><summary>What the words mean</summary>'
        f"{definitions(terms)}</details></section>"
    )


def definitions(terms: Mapping[str, str]) -> str:
    """Words and what they mean."""
    inner = "".join(f"<dt>{escape(term)}</dt><dd>{escape(words)}</dd>" for term, words in terms.items())
    return f"<dl>{inner}</dl>"


def scenario_section(summary: str, text: str) -> str:
    """The section "Scenario": a text, folded away."""
    return (
        f'<section id="scenario"><h2>Scenario</h2><details class="box"><summary>{escape(summary)}</summary>'
        f"<pre>{escape(text)}</pre></details></section>"
    )


def footer(words: str) -> str:
    """The end of a page."""
    return f"<footer>Made by marketsim. {escape(words)}</footer>"


def cards(items: Sequence[tuple[str, str]]) -> str:
    """Headline numbers: (number, what it is)."""
    inner = (f'<div class="card"><b>{escape(value)}</b><span>{escape(what)}</span></div>' for value, what in items)
    return f'<div class="cards">{"".join(inner)}</div>'


def facts(row: Mapping[Any, Any], columns: Sequence[Column]) -> str:
    """Names and numbers of one thing, in two columns where there is room."""
    items = (
        f"<div><dt>{escape(heading)}{_unit(unit)}</dt><dd>{escape(number(row[name], form))}</dd></div>"
        for name, heading, unit, form in columns
        if name in row
    )
    return f'<dl class="box facts">{"".join(items)}</dl>'


def table(frame: pd.DataFrame, first: str, columns: Sequence[Column], caption: str = "") -> str:
    """A table with units under its headings; columns that the frame lacks are left out."""
    shown = [column for column in columns if column[0] in frame.columns]
    head = [f"{breakable(heading)}{_unit(unit)}" for _, heading, unit, _ in shown]
    rows = [
        (breakable(str(key)), [_cell(number(row[name], form), form) for name, _, _, form in shown])
        for key, row in zip(frame.index, frame.to_dict("records"), strict=True)
    ]
    return _table(first, head, rows, caption)


def turned_table(frame: pd.DataFrame, first: str, columns: Sequence[Column], caption: str = "") -> str:
    """The same table with a row for each column: for few things and many measures."""
    shown = [column for column in columns if column[0] in frame.columns]
    rows = [
        (f"{escape(heading)}{_unit(unit)}", [_cell(number(value, form), form) for value in frame[name]])
        for name, heading, unit, form in shown
    ]
    return _table(first, [escape(str(key)) for key in frame.index], rows, caption)


def text_table(
    heads: Sequence[str], first: str, rows: Sequence[tuple[str, str, Sequence[str]]], caption: str = ""
) -> str:
    """A table of words: of each row its name, unit and cells."""
    lines = [(f"{escape(name)}{_unit(unit)}", [_cell(cell, "") for cell in cells]) for name, unit, cells in rows]
    return _table(first, [escape(head) for head in heads], lines, caption)


def _table(first: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], caption: str) -> str:
    headings = "".join(f'<th scope="col">{words}</th>' for words in (escape(first), *head))
    lines = "".join(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>' for name, cells in rows)
    title = f"<p>{escape(caption)}</p>" if caption else ""
    return (
        f'<div class="box">{title}<div class="scroll"><table><thead><tr>{headings}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></div>"
    )


def breakable(name: str) -> str:
    """An escaped name that may go on in the next line behind its dots, and is copied without a letter more."""
    told = escape(name)
    long = name[:1].isalpha() and " " not in name and (name.count(".") > 1 or len(name) > 16)
    return told.replace(".", ".<wbr>") if long else told


def _unit(unit: str) -> str:
    return f" <small>{escape(unit)}</small>" if unit else ""


def image(wide: Picture, narrow: Picture, alt: str, words: str) -> str:
    """A figure with its narrow form for phones, and a sentence on what to look at."""
    return (
        f'<figure class="box"><picture><source media="(max-width: 640px)" srcset="{narrow.address}" '
        f'width="{narrow.width}" height="{narrow.height}">'
        f'<img src="{wide.address}" width="{wide.width}" height="{wide.height}" alt="{escape(alt)}"></picture>'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def figure(draw: Callable[[float], Figure], alt: str, words: str) -> str:
    """A figure, drawn once for a desk and once for a phone, and a sentence on what to look at."""
    from marketsim.analysis.picture import picture

    return image(picture(draw(WIDE)), picture(draw(NARROW)), alt, words)


def moment_text(time: int, local: LocalTime | None) -> str:
    """A time to the millisecond."""
    whole, point, rest = time_text(time, local).partition(".")
    return whole + point + rest[:3]


def _cell(text: str, form: str) -> str:
    if form.startswith("+") and text[0] in "+−":
        return f'<td class="{"gain" if text[0] == "+" else "loss"}">{escape(text)}</td>'
    return f"<td>{escape(text)}</td>"
