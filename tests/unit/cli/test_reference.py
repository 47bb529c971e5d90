"""The generated reference pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.cli.docs import load_catalogue
from meshctl_operator.cli.main import RESERVED, VERBS
from meshctl_operator.cli.reference import PAGES, main, render_cli, render_diagnostics, render_metrics

FOLDER = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    """The committed page follows from the code: python -m meshctl_operator.cli.reference NAME > docs/reference/NAME.md, or make generate."""
    assert (FOLDER / f"{name}.md").read_text() == "".join(main([name]))


def test_every_verb_and_option_is_there() -> None:
    """With its usage, its options and what click would show; examples are not wrapped, and verbs to come are named."""
    page = render_cli()
    assert all(f"## meshctl {verb}\n" in page for verb in VERBS)
    assert all(f"- `{verb}`" in page for verb in RESERVED)
    assert "meshctl validate [OPTIONS] [PATH]..." in page
    assert "| `--strict` | Exit with 65 for warnings as well. |" in page
    assert "```\nmeshctl dev examples/bookinfo\nmeshctl dev examples/bookinfo --scenario jason-v2\n```" in page
    assert "\b" not in page


def test_every_code_is_there() -> None:
    """Under the heading of its area, with cause and way out."""
    page = render_diagnostics()
    for code in load_catalogue().values():
        assert f"### {code.code}: " in page
        assert code.cause in page
        assert code.fix in page
    assert page.index("## MC40xx: ") < page.index("### MC4001: ") < page.index("## MC41xx: ")


def test_every_series_and_page_is_there() -> None:
    """Under the name that Prometheus sees, with what istiod calls it."""
    page = render_metrics()
    assert "| `meshctl_nacks_total` | counter | type |" in page
    assert "| `meshctl_convergence_seconds` | histogram | |" in page
    assert "| `pilot_xds_pushes` | `meshctl_pushes` |" in page
    assert "| `/debug/graph` |" in page
