"""Past releases from the history of a file in a git repository."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import urlsplit

from odforecast.errors import DataError, DownloadError
from odforecast.say import plain, quoted
from odforecast.vintage.past import Copy
from odforecast.vintage.socrata import WASHINGTON

_SCHEMES = ("https", "http", "ssh", "git", "file")
#: What of the user's settings could run a program, ask a question or stop the work half-way.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.askPass": "",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.version": "2",
    "http.lowSpeedLimit": "1",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GCM_INTERACTIVE": "never",
    "LC_ALL": "C",
}
_HINT = f"give the folder of a repository, or an address that begins with {', '.join(_SCHEMES)}"


class History:
    """Clone of a git repository without contents; use it as a context manager."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60,
        limit: float = 1800,
        most_bytes: int = 200_000_000,
        most_clone: int = 2_000_000_000,
    ) -> None:
        self.url, self.name = _address(url)
        self.heard = False
        self._limit, self._most_bytes, self._most_clone = limit, most_bytes, most_clone
        program = shutil.which("git")
        if program is None:
            raise DownloadError(
                "git is not installed, or not on the PATH",
                hint="install git, or save the versions as files: odforecast data add FILE",
            )
        settings = _SETTINGS | {"http.lowSpeedTime": f"{max(timeout, 1):.0f}"}
        self._command = [program, *(w for k, v in settings.items() for w in ("-c", f"{k}={v}"))]
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:  # removed if the clone fails
            made = TemporaryDirectory(prefix="odforecast-git-", ignore_cleanup_errors=True)
            self._folder = Path(stack.enter_context(made))
            self._git(
                "clone", "--bare", "--quiet", "--filter=blob:none", "--no-local", "--template=",
                "--", self.url, str(self._folder / "clone"), most=self._most_clone,
            )  # fmt: skip
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def versions(self, path: str) -> tuple[Copy, ...]:
        """The contents that a file has had, each once, oldest first."""
        unsafe = path.startswith("-") or re.search(r"[\x00-\x1f]", path)
        if unsafe or {"", ".", ".."} & set(path.split("/")):
            raise DataError(
                f"{quoted(path)} is not a path in a repository",
                hint="give it from the top of the repository: data/counts.csv",
            )
        walk = ("rev-list", "--timestamp", "--date-order", "--reverse", "--full-history")
        default: list[str] = []
        with contextlib.suppress(DownloadError):  # there may be no default branch
            default = self._lines(*walk, "HEAD", "--", path)
        every = self._lines(*walk, "--all", "--", path)
        found: dict[str, Copy] = {}
        for line in dict.fromkeys([*default, *every]):
            seconds, commit = line.split()
            for entry in self._lines("ls-tree", "-z", commit, "--", path):
                _, kind, blob = entry.partition("\t")[0].split()
                if kind == "tree":
                    raise DataError(
                        f"{quoted(path)} is a folder in {self.name}", hint="give one file of it"
                    )
                copy = Copy(_day(seconds), self.name, commit, path, git_blob=blob)
                found.setdefault(blob, copy)
        if not found:
            raise DataError(
                f"{self.name} has never had a file {quoted(path)}",
                hint="give the path from the top of the repository, as git spells it",
            )
        return tuple(found.values())

    def get(self, copy: Copy) -> bytes:
        """The bytes of a version, unchecked."""
        content = self._git("cat-file", "blob", copy.git_blob, most=self._most_bytes)
        self.heard = True
        return content

    def _lines(self, *words: str) -> list[str]:
        """What git prints of the clone alone, whatever the user's settings are."""
        text = self._git(*words, local=True).decode("utf-8", errors="replace")
        return re.findall(r"[^\0\n]+", text)

    def _git(self, *words: str, local: bool = False, most: int = 1 << 30) -> bytes:
        """Run git within limits of time and disk; what it prints."""
        where = [] if words[0] == "clone" else [f"--git-dir={self._folder / 'clone'}"]
        out, err = self._folder / "out", self._folder / "err"
        room = _size(self._folder) + 2 * most  # what is fetched, and what is printed of it
        end = time.monotonic() + self._limit
        with (
            out.open("wb") as stdout,
            err.open("wb") as stderr,
            subprocess.Popen(
                [*self._command, *where, *words],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=_environment(local),
                start_new_session=os.name == "posix",  # no terminal to ask questions on
            ) as process,
        ):
            code = None
            try:
                while code is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        code = process.wait(0.5)
                    if code is None and time.monotonic() > end:
                        raise DownloadError(
                            f"{self.name}: git took longer than {self._limit:,.0f} s",
                            hint="try again later: what was downloaded is kept",
                        )
                    if _size(self._folder) > room or out.stat().st_size > most:
                        raise DownloadError(
                            f"{self.name}: git fetched more than {most / 1e6:,.0f} MB",
                            hint="is it the right repository? Nothing of it was kept",
                        )
            finally:
                if code is None:  # end git and the programs that it started
                    with contextlib.suppress(OSError):
                        if os.name == "posix":
                            os.killpg(process.pid, signal.SIGKILL)
                        else:
                            process.kill()
        if code:
            text = err.read_text(encoding="utf-8", errors="replace").strip() or "no reason given"
            said = next((x for x in text.splitlines() if x.startswith("fatal: ")), text)
            why = re.sub(r"//[^/@\s]*@", "//", said.removeprefix("fatal: "))
            raise DownloadError(
                f"git cannot read {self.name}: {plain(' '.join(why.split()).rstrip('.'), 200)}",
                hint="is the address right, and is there a network?",
            )
        return out.read_bytes()


def _address(url: str) -> tuple[str, str]:
    """An address as git is given it, and as people read it: short for GitHub, no password."""
    url = url.strip()
    if not url or url.startswith("-") or re.search(r"[\x00-\x1f\x7f]", url):
        raise DataError(f"{quoted(url)} is not the address of a repository", hint=_HINT)
    if Path(url).is_dir():
        return str(Path(url).resolve()), plain(Path(url).resolve())
    where = urlsplit(url)
    if "::" not in url and where.scheme in _SCHEMES and "://" in url:
        host = where.netloc.rpartition("@")[2]
        path = where.path.strip("/").removesuffix(".git")
        github = host.lower() == "github.com"
        return url, plain(path if github else f"{host}/{path}")
    if re.fullmatch(r"([\w.-]+@)?[\w.-]{2,}:(?!:|//)[^:]+", url):  # ssh, in git's short form
        return url, plain(url.rpartition("@")[2])
    raise DataError(f"{quoted(url)} is not the address of a repository", hint=_HINT)


def _day(seconds: str) -> dt.date:
    """Day in Washington; today where a commit's clock is beyond all days."""
    try:
        return dt.datetime.fromtimestamp(int(seconds), WASHINGTON).date()
    except (OverflowError, ValueError, OSError):
        return dt.date.today()


def _environment(local: bool) -> dict[str, str]:
    """Variables for git: those of a surrounding repository, and programs that ask, are left out."""
    kept = () if local else ("GIT_SSH", "GIT_SSL", "GIT_PROXY", "GIT_CONFIG")
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(kept)}
    env.pop("SSH_ASKPASS", None)
    if local:
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return env | _ENVIRONMENT


def _size(folder: Path) -> int:
    """Bytes in a folder, while files come and go."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(inside, name)).st_size
    return total
