"""The seam that sources implement."""

from __future__ import annotations

from meshctl_operator.controlplane.source import Source, SourceLocator
from meshctl_operator.sources.directory import DirectorySource
from meshctl_operator.sources.memory import MemorySource


def test_a_directory_knows_places_and_memory_does_not() -> None:
    """The control plane asks only those that know."""
    directory: Source = DirectorySource(["."])
    memory: Source = MemorySource()
    assert isinstance(directory, SourceLocator)
    assert not isinstance(memory, SourceLocator)
