"""``meshctl docs``: the page of a diagnostic code."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import textwrap

import click

import meshctl_operator
from meshctl_operator.base.codes import Code, catalogue
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.cli.output import FORMATS, Format, print_data


@click.command()
@click.argument("code", required=False)
@click.option("-o", "--output", type=FORMATS, default="text", show_default=True, help="Output format.")
def docs(code: str | None, output: str) -> None:
    """Print the page of a diagnostic code: cause, example, fix. Without a code: the list of all of them."""
    pages = load_catalogue()
    if code is None:
        if output == Format.TEXT:
            for page in pages.values():
                click.echo(f"{page.code}  {titled(page)}")
        else:
            print_data([_data(page) for page in pages.values()], Format(output))
        return
    page_ = pages.get(code.upper()) or next((page for page in pages.values() if page.istio_code and page.istio_code == code.upper()), None)
    if page_ is None:
        near = difflib.get_close_matches(code.upper(), pages, 1)
        raise SettingsError(f'there is no diagnostic code "{code}"', hint=f"did you mean {near[0]}?" if near else "meshctl docs lists them")
    if output == Format.TEXT:
        click.echo(_text(page_))
    else:
        print_data(_data(page_), Format(output))


def load_catalogue() -> dict[str, Code]:
    """Return all codes: import every module of codes, which are those whose name is or ends with ``codes``."""
    for module in pkgutil.walk_packages(meshctl_operator.__path__, "meshctl_operator."):
        if module.name.rpartition(".")[2].endswith("codes"):
            importlib.import_module(module.name)
    return catalogue()


def titled(page: Code) -> str:
    """Return the title of a page, with a capital letter."""
    return page.title[:1].upper() + page.title[1:]


def _data(page: Code) -> dict[str, object]:
    return {
        "code": page.code,
        "title": page.title,
        "cause": page.cause,
        "example": page.example,
        "fix": page.fix,
        "istio_code": page.istio_code,
    }


def _text(page: Code) -> str:
    parts = [f"{page.code}  {titled(page)}" + (f"  (Istio: {page.istio_code})" if page.istio_code else "")]
    for title, body in (("Cause", page.cause), ("Fix", page.fix)):
        parts.append(f"{title}\n{textwrap.indent(textwrap.fill(body, 96), '  ')}")
    parts.insert(2, f"Example\n{textwrap.indent(page.example, '  ')}")
    return "\n\n".join(parts)
