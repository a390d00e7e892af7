"""Accounts of users: names and passwords in netrc files."""

import netrc
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vadose.catalogues.http import Denied


@dataclass(frozen=True)
class Account:
    """User name and password, or the two parts of an access key, and where they were found."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    origin: str


def from_variables(environment: Mapping[str, str], user: str, password: str) -> Account | None:
    """Return the account of two environment variables; None unless both are set."""
    values = environment.get(user, ""), environment.get(password, "")
    return Account(*values, f"{user} and {password}") if all(values) else None


def from_netrc(environment: Mapping[str, str], host: str) -> Account | None:
    """Return the entry of a host in the netrc file (`NETRC`, else `~/.netrc`); None without a file or an entry.

    Raises:
        Denied: others may read the file, or it cannot be parsed.
    """
    stated = environment.get("NETRC")
    path = Path(stated) if stated else Path("~/.netrc").expanduser()
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Denied(f"catalogues: {path}", "Others may read the passwords in it", f"chmod 600 {path}")
        held = netrc.netrc(path).hosts.get(host)
    except OSError:
        return None
    except (netrc.NetrcParseError, UnicodeDecodeError) as error:  # its text may hold a password
        line = getattr(error, "lineno", None)
        where = f" in line {line}" if line else ""
        raise Denied(f"catalogues: {path}", f"It is no netrc file{where}", "Correct or remove the line") from None
    return Account(held[0], held[2], str(path)) if held and held[0] and held[2] else None
