"""Catalogues as data: where each is, what it holds, what it asks for, and which is asked first."""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vadose.catalogues.http import LOOPBACK
from vadose.errors import VadoseError
from vadose.io.files import closest, read_config

ENVIRONMENT = "VADOSE_CATALOGUES"
_BUILT_IN = Path(__file__).with_name("built_in.yaml")
_HINT = "See 'From nothing to a map' in the documentation for the form of the file"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Host = Annotated[str, Field(pattern=r"^[*A-Za-z0-9.:-]{1,253}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("an address begins with https://")
    if not parts.hostname or parts.username or parts.query:
        raise ValueError("an address has a host, and neither a user nor a query")
    return url.rstrip("/")


class Credential(_Section):
    """What a catalogue asks for before it gives its files.

    Attributes:
        kind: "sas", anonymous tokens of a storage account; "earthdata", a NASA Earthdata login; or "s3", an access key.
        endpoint: that issues them; of an access key the storage, where `s3://` addresses are.
        hosts: to which they are sent, patterns.
        variables: environment variables of access key and secret key.
        region: of the storage, in signatures.
    """

    kind: Literal["sas", "earthdata", "s3"]
    endpoint: str
    hosts: tuple[Host, ...]
    variables: tuple[str, str] = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    region: str = "default"

    _https = field_validator("endpoint")(_address)


class Catalogue(_Section):
    """A catalogue.

    Attributes:
        title: in reports.
        kind: how it is searched: a STAC API, NASA's CMR, a list of tiles, or not at all: the whole archive of ISMN.
        endpoint: address that is searched.
        hosts: that may be asked, patterns; only these, whatever an item says.
        credential: that its files need.
        concurrency: requests at once, by host, where fewer than usual are allowed.
        collections: identifiers by source, the preferred one first.
    """

    title: str
    kind: Literal["stac", "cmr", "opera", "soilgrids", "copernicus-dem", "worldcover", "ismn"]
    endpoint: str
    hosts: tuple[Host, ...]
    credential: Credential | None = None
    concurrency: dict[Host, Annotated[int, Field(ge=1, le=64)]] = Field(default_factory=dict)
    collections: dict[str, tuple[str, ...]]

    _https = field_validator("endpoint")(_address)

    @property
    def storage(self) -> Credential | None:
        """The S3 storage of its files, if they need an access key."""
        return self.credential if self.credential is not None and self.credential.kind == "s3" else None

    def located(self, href: str) -> str:
        """Return the address of a file: `s3://bucket/key` is at the S3 storage, anything else as it is."""
        parts = urlsplit(href)
        if parts.scheme != "s3" or self.storage is None:
            return href
        return f"{self.storage.endpoint}/{quote(f'{parts.netloc}{parts.path}')}"


class Catalogues(_Section):
    """All catalogues, and which is asked first.

    Attributes:
        catalogues: by name.
        precedence: names of the catalogues of each source; the next one is asked where one does not answer.
    """

    catalogues: dict[Name, Catalogue]
    precedence: dict[str, tuple[Name, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for source, names in self.precedence.items():
            for name in names:
                if name not in self.catalogues or source not in self.catalogues[name].collections:
                    raise ValueError(f"precedence of {source}: {name} is no catalogue that holds it")
        return self

    def of(self, source: str) -> tuple[tuple[str, Catalogue], ...]:
        """Return the catalogues of a source with their names, in the order in which they are asked."""
        return tuple((name, self.catalogues[name]) for name in self.precedence.get(source, ()))

    def only(self, names: Sequence[str]) -> "Catalogues":
        """Restrict to some catalogues.

        Raises:
            VadoseError: one is unknown.
        """
        for name in names:
            if name not in self.catalogues:
                raise VadoseError(
                    f"catalogues: '{name}'",
                    f"Known are {', '.join(sorted(self.catalogues))}",
                    f"Name one of them, or a YAML file{closest(name, self.catalogues)}",
                )
        if not names:
            return self
        precedence = {
            source: tuple(name for name in names if source in self.catalogues[name].collections)
            for source in {*self.precedence, *(one for name in names for one in self.catalogues[name].collections)}
        }
        return Catalogues(catalogues=self.catalogues, precedence=precedence)


def read_catalogues(given: Sequence[str | Path] = ()) -> Catalogues:
    """Read the catalogues: built-in, of `$VADOSE_CATALOGUES`, and of given files.

    Args:
        given: YAML files, and names of catalogues; with names, only these are asked.

    Raises:
        VadoseError: a file cannot be read, or a name is unknown.
    """
    files, names = _files_and_names(given)
    stated = os.environ.get(ENVIRONMENT)
    held = _built_in()
    for path in [Path(stated)] if stated else []:
        held = _merged(held, read_config(Catalogues, path, f"catalogues: {path} (${ENVIRONMENT})", _HINT))
    for path in files:
        held = _merged(held, read_config(Catalogues, path, f"catalogues: {path}", _HINT))
    return held.only(names)


def named_catalogues(given: Sequence[str | Path] = ()) -> frozenset[str]:
    """Return the names of given catalogues, and of those of given files; all that are known if none is given.

    Raises:
        VadoseError: as `read_catalogues`.
    """
    files, names = _files_and_names(given)
    read = read_catalogues(given).catalogues
    stated = (read_config(Catalogues, path, f"catalogues: {path}", _HINT).catalogues for path in files)
    return frozenset(names).union(*stated) if given else frozenset(read)


def _files_and_names(given: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    files = [Path(one) for one in given if Path(one).suffix in (".yaml", ".yml")]
    return files, [str(one) for one in given if Path(one).suffix not in (".yaml", ".yml")]


@lru_cache(maxsize=1)
def _built_in() -> Catalogues:
    return read_config(Catalogues, _BUILT_IN, "catalogues: built-in", "Install vadose again")


def _merged(held: Catalogues, added: Catalogues) -> Catalogues:
    catalogues: Mapping[str, Catalogue] = {**held.catalogues, **added.catalogues}
    return Catalogues(catalogues=dict(catalogues), precedence={**held.precedence, **added.precedence})
