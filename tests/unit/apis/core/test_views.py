"""What all views share."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.core.views import KubernetesView
from meshctl_operator.apis.decode import VIEWS


@pytest.mark.parametrize("view", VIEWS.values(), ids=[kind.value for kind in VIEWS])
def test_everything_has_a_default(view: type[KubernetesView]) -> None:
    """A view of nothing can be made, and null fields are unset."""
    names = [field.alias or name for name, field in view.model_fields.items()]
    assert view.model_validate({}) == view.model_validate(dict.fromkeys(names)) == view.model_validate({"other": 1})
