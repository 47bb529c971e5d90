"""``meshctl-dev.yaml``: which folders are loaded, and how the workloads run on this machine."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, ValidationError

from meshctl_operator.apis.meta import StrictModel
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.sources.documents import parse
from meshctl_operator.sources.files import read_text

FILE_NAME: Final = "meshctl-dev.yaml"
_WRONG_TYPES: Final = {"tuple_type": "a list", "string_type": "text", "dict_type": "a mapping", "model_type": "a mapping"}


class WorkloadEntry(StrictModel):
    """What runs in the place of a Deployment's containers. Without a namespace the Deployment is found by its name alone."""

    deployment: str
    namespace: str = ""
    command: tuple[str, ...] = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)


class ProcessEntry(StrictModel):
    """A process beside the mesh, without a sidecar. ``listen`` is where it says it listens, as ``address:port``."""

    name: str
    command: tuple[str, ...] = Field(min_length=1)
    listen: str = ""
    env: dict[str, str] = Field(default_factory=dict)


class CertificateEntry(StrictModel):
    """A throw-away certificate that is made at the start and held in a Secret that exists in memory alone."""

    secret: str
    namespace: str = "istio-system"
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1")


class DevFile(StrictModel):
    """The fields of the file. Paths are relative to it."""

    config: tuple[str, ...] = (".",)
    mesh_config: str = ""
    scenarios: str = ""
    workloads: tuple[WorkloadEntry, ...] = ()
    processes: tuple[ProcessEntry, ...] = ()
    certificates: tuple[CertificateEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class DevConfig:
    """The file with its paths resolved: the folders to load (base, and the scenario's if one is chosen) and what to run.

    ``exclude`` are the parts of the base that are no config: the file itself, the scenarios, the MeshConfig.
    """

    root: Path
    config: tuple[Path, ...]
    scenario: Path | None
    mesh_config: Path | None
    file: DevFile
    exclude: frozenset[Path] = frozenset()


def load(directory: Path, scenario: str | None = None) -> DevConfig:
    """Read the file of a directory; without one the directory itself is the config. Raises SettingsError with place and way out."""
    if not directory.is_dir():
        raise SettingsError(f'"{directory}" is not a directory', hint="give the folder that holds meshctl-dev.yaml or the config objects")
    root = directory.resolve()
    path = root / FILE_NAME
    file = _read(path) if path.exists() else DevFile()
    mesh_config = _existing(root, file.mesh_config, path) if file.mesh_config else None
    return DevConfig(
        root=root,
        config=tuple(_existing(root, name, path) for name in file.config),
        scenario=_scenario(root, file.scenarios, scenario) if scenario else None,
        mesh_config=mesh_config,
        file=file,
        exclude=frozenset({path, *([root / file.scenarios] if file.scenarios else []), *([mesh_config] if mesh_config else [])}),
    )


def settings_files(directory: Path) -> frozenset[Path]:
    """Return what of a folder is no config object: the file of ``meshctl dev`` and the MeshConfig that it names."""
    path = directory / FILE_NAME
    if not path.is_file():
        return frozenset()
    named = _read(path).mesh_config
    return frozenset({path, directory / named} if named else {path})


def beside_config(directory: Path) -> frozenset[Path]:
    """Return what of a folder ``meshctl dev`` would not load without a scenario: its settings, and the scenarios."""
    settings = settings_files(directory)
    scenarios = _read(directory / FILE_NAME).scenarios if settings else None
    return settings | {directory / scenarios} if scenarios else settings


def _read(path: Path) -> DevFile:
    text = read_text(path)
    if not isinstance(text, str):
        raise SettingsError(str(text))
    documents = parse(text, str(path))
    if not documents:
        return DevFile()
    document = documents[0]
    if document.raw is None:
        raise SettingsError("; ".join(str(finding) for finding in document.findings))
    if len(documents) > 1:
        raise SettingsError(
            f"{path} holds {len(documents)} documents", hint="it has one; config objects belong into the folders under `config:`"
        )
    try:
        return DevFile.model_validate(document.raw)
    except ValidationError as error:
        found = error.errors(include_url=False)
        # A misspelt field is often the one that is then said to be missing, so it is the one to tell.
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        where = _path(first["loc"])
        message, hint = _explain(first["type"], where, first["msg"], first["loc"])
        raise SettingsError(f"{path}:{document.line_of(where)}: {message}", hint=hint) from None


def _explain(kind: str, where: str, message: str, location: tuple[int | str, ...]) -> tuple[str, str | None]:
    """Return the words for the first thing that is wrong, and the way out."""
    if kind == "extra_forbidden":
        known = list(_fields(location[:-1]))
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        return f"{where} is not a field", f'did you mean "{near[0]}"?' if near else f"the fields are {', '.join(known)}"
    if kind == "missing":
        return f"{where} is required", None
    if kind in _WRONG_TYPES:
        return f"{where} is not {_WRONG_TYPES[kind]}", None
    return f"{where}: {message[:1].lower()}{message[1:]}", None


def _fields(location: tuple[int | str, ...]) -> Mapping[str, object]:
    """Return the fields, as they are written, of the mapping at a place of the file."""
    entries: Mapping[str, type[BaseModel]] = {"workloads": WorkloadEntry, "processes": ProcessEntry, "certificates": CertificateEntry}
    model = entries.get(str(location[0]), DevFile) if location else DevFile
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _existing(root: Path, name: str, file: Path) -> Path:
    path = (root / name).resolve()
    if not path.exists():
        raise SettingsError(f'{file}: "{name}" does not exist', hint=f"paths are relative to {root}")
    return path


def _scenario(root: Path, folder: str, name: str) -> Path:
    if not folder:
        raise SettingsError(
            f'there are no scenarios, so none is called "{name}"', hint=f"name their folder in {FILE_NAME}: `scenarios: scenarios/`"
        )
    home = root / folder
    known = sorted(entry.name for entry in home.iterdir() if entry.is_dir() and not entry.name.startswith(".")) if home.is_dir() else []
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise SettingsError(
            f'"{name}" is no scenario of {home}', hint=f'did you mean "{near[0]}"?' if near else f"there are {', '.join(known) or 'none'}"
        )
    return home / name
