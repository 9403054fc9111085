"""result.json, pictures and log -> one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from posebowl.report import gallery, insights, pictures, sections
from posebowl.report.image_table import image_table
from posebowl.report.log_excerpt import read_log
from posebowl.report.picture_store import NO_STORE, PictureStore
from posebowl.report.score_section import score_view
from posebowl.report.speed import speed_view
from posebowl.results import Result
from posebowl.scoring import Score
from posebowl.util.files import write_text
from posebowl.util.hints import typed
from posebowl.util.text import shorten, visible

_TEMPLATES: Final = Path(__file__).parent / "templates"
_TEMPLATE: Final = "report.html.j2"
_MOST_WARNINGS: Final = 50


def write(
    path: Path,
    result: Result,
    *,
    log: Path,
    images: Path | None,
    predictions: pl.DataFrame | None,
    score: Score | None,
    cache: Path | None = None,
    history: Path | None = None,
) -> None:
    """Write the report of a run, whole or not at all: one HTML file under 5 MB.

    Args:
        path: The page; an older one is replaced.
        result: The run.
        log: What main.sh printed; it may be missing.
        images: The folder of <image_id>.png, if there is one.
        predictions: image_id and boxes; None if the run left none that are valid.
        score: With labels: the score of these predictions.
        cache: The folder of the setting `cache`, where small pictures are kept for next time.
        history: The results folder whose earlier runs the score is compared with.

    Raises:
        OSError: The page cannot be written. Nothing else is raised, whatever a submission did.
    """
    store = PictureStore.of(images, cache)
    html = render(
        result,
        log=log,
        images=images,
        predictions=predictions,
        score=score,
        store=store,
        history=history,
    )
    write_text(path, html)
    store.save()


def render(
    result: Result,
    *,
    log: Path,
    images: Path | None,
    predictions: pl.DataFrame | None,
    score: Score | None,
    store: PictureStore = NO_STORE,
    history: Path | None = None,
) -> str:
    """Return the HTML of a report; see `write`."""
    score = None if score is None else insights.with_kinds(score, images)
    chosen = gallery.choose(predictions, score)
    table = image_table(predictions, score)
    taken = len(table.data) if table else 0
    loaded = iter(pictures.load(chosen.items, images, store, taken=taken))
    groups = [(group, [(item, next(loaded)) for item in group.items]) for group in chosen.groups]
    headline = sections.headline(result)
    return fill(
        _TEMPLATE,
        scripts=("viewer.js", "images.js"),
        name=shorten(result.submission or "submission.zip", 80),
        note=shorten(result.note, 600),
        result=result,
        headline=headline,
        platform=sections.platform_view(result),
        score=score_view(score) if score else None,
        score_of=insights.score_of(result, score) if score else "",
        steps=insights.steps(result, history),
        table=table,
        gallery=chosen,
        groups=groups,
        speed=speed_view(result),
        warnings=[shorten(typed(text), 600) for text in result.warnings[:_MOST_WARNINGS]],
        more_warnings=max(0, len(result.warnings) - _MOST_WARNINGS),
        environment=sections.environment_rows(result),
        log=read_log(log, failed=headline.state != "pass"),
    )


def load() -> None:
    """Read and compile the templates in advance, so that `write` need not wait for them."""
    parts = _environment().list_templates(filter_func=lambda name: name.startswith("_"))
    for name in (_TEMPLATE, *parts):
        _environment().get_template(name)


def fill(template: str, *, scripts: Sequence[str] = (), **values: Any) -> str:
    """Return a page: a template filled with values, the style of all, scripts and their policy.

    Args:
        template: The name of its file.
        scripts: The files that are its script, in this order.
        values: What the template inserts.
    """
    style, script = _asset("style.css"), "".join(map(_asset, scripts))
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=policy(style, script),
        )
    )


def policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that allows only these two texts and data URIs."""
    return (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,  # which takes longer than it saves on a page
        finalize=_finalize,
    )


def _finalize(value: Any) -> Any:
    """Escape what does not print in any text that a template inserts."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value
