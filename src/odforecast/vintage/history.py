"""Past releases from the history of a file in a git repository.

Some repositories overwrite one file each time CDC publishes. Every version of it is a copy of a
past release. The history is cloned without contents into a temporary folder; contents are fetched
one by one and kept in ``downloads/past/`` of the archive's folder, named by git's hash. Each is
read and added like any other file, under the date that its own content gives: the day of the
commit only says that it was published by then.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from odforecast.errors import ArchiveError, DataError, DownloadError, QuarantineError
from odforecast.io import replacing
from odforecast.names import COUNTIES, STATES
from odforecast.publication import publication_date
from odforecast.say import plain, quoted
from odforecast.sources.county import Counties
from odforecast.sources.release import Release, read_release
from odforecast.vintage.archive import Archive
from odforecast.vintage.ledger import Origin
from odforecast.vintage.past import Intake, git_blob, past_copies

_WASHINGTON = ZoneInfo("America/New_York")
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
#: What git keeps in place of a file in large-file storage.
_POINTER = b"version https://git-lfs"
#: The same release under another day is at most this many days away.
_NEAR = 31
#: After this many versions in a row that could not be fetched, the server counts as gone.
_SILENT = 3


@dataclass(frozen=True)
class Version:
    """One content of a file, with the first commit that has it.

    Attributes
    ----------
    commit : str
    day : datetime.date
        Day of the commit in Washington.
    path : str
        From the top of the repository.
    blob : str
        Git's hash of the content.
    """

    commit: str
    day: dt.date
    path: str
    blob: str

    def named(self, content: bytes) -> str:
        """What the repository would call these bytes."""
        return git_blob(content, "sha1" if len(self.blob) == 40 else "sha256")


@dataclass(frozen=True)
class Tried:
    """What became of one version.

    Attributes
    ----------
    version : Version
    status : str
        ``"added"``; ``"there"``, added from this very commit before; ``"same"`` or ``"differs"``,
        compared with the release that is there; ``"quarantined"``, stored apart; ``"gone"``, could
        not be fetched; ``"refused"``, not a release.
    release : datetime.date or None
        Its date; None if it could not be read.
    words : str
        The same for people.
    """

    version: Version
    status: str
    release: dt.date | None
    words: str


class History:
    """Clone of a git repository without contents; use it as a context manager.

    Parameters
    ----------
    url : str
        Address (``https``, ``http``, ``ssh``, ``git`` or ``file``) or folder of the repository.
    timeout : float
        Seconds without any answer after which a server is given up.
    limit : float
        Seconds that one call of git may take.
    most_bytes : int
        Largest content of a file.
    most_clone : int
        Largest clone, in bytes.

    Raises
    ------
    DataError
        If this is not an address that git is asked for.
    DownloadError
        If git is not installed, or cannot clone the repository.

    Examples
    --------
    ::

        from odforecast.vintage.history import History, fetch_history

        with History("https://github.com/PopHIVE/Ingest") as history:
            versions = history.versions("data/nchs_mortality/raw/xkb8-kh2a.parquet")
            for tried in fetch_history("releases", history, versions):
                print(tried.version.commit, tried.words)
    """

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
        self._limit, self._most_bytes, self._most_clone = limit, most_bytes, most_clone
        program = shutil.which("git")
        if program is None:
            raise DownloadError(
                "git is not installed, or not on the PATH",
                hint="install git, or save the versions as files: odforecast data add FILE",
            )
        settings = _SETTINGS | {"http.lowSpeedTime": f"{max(timeout, 1):.0f}"}
        self._command = [program, *(w for k, v in settings.items() for w in ("-c", f"{k}={v}"))]
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(
            prefix="odforecast-git-", ignore_cleanup_errors=True
        )
        try:
            self._git(
                "clone", "--bare", "--quiet", "--filter=blob:none", "--no-local", "--template=",
                "--", self.url, str(self._folder / "clone"), most=self._most_clone,
            )  # fmt: skip
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    @property
    def _folder(self) -> Path:
        assert self._temporary is not None, "a History is used in a with statement"
        return Path(self._temporary.name)

    def versions(self, path: str) -> tuple[Version, ...]:
        """The contents that a file has had, each once, oldest first.

        Those of the default branch stand before those that only other branches and tags have.

        Raises
        ------
        DataError
            If there is no such file in the history.
        """
        path = _checked_path(path)
        walk = ("rev-list", "--timestamp", "--date-order", "--reverse", "--full-history")
        default = set(self._read(*walk, "HEAD", "--", path, fails="").splitlines())
        commits = self._read(*walk, "--all", "--", path).splitlines()
        found: dict[str, Version] = {}
        for line in sorted(commits, key=lambda c: c not in default):  # stable: oldest first
            seconds, commit = line.split()
            for entry in self._read("ls-tree", "-z", commit, "--", path).split("\0"):
                about, _, name = entry.partition("\t")
                if name == path:
                    _, kind, blob = about.split()
                    if kind == "tree":
                        raise DataError(
                            f"{quoted(path)} is a folder in {self.name}",
                            hint="give one file of it",
                        )
                    found.setdefault(blob, Version(commit, _day(seconds), path, blob))
        if not found:
            raise DataError(
                f"{self.name} has never had a file {quoted(path)}",
                hint="give the path from the top of the repository, as git spells it",
            )
        return tuple(found.values())

    def content(self, version: Version) -> bytes:
        """The bytes of a version.

        Raises
        ------
        DownloadError
            If they cannot be fetched, or are more than any release.
        """
        content = self._git("cat-file", "blob", version.blob, most=self._most_bytes)
        if version.named(content) != version.blob:
            raise DownloadError(f"{self.name}: git gave other bytes than it has listed")
        return content

    def place(self, version: Version) -> str:
        """Repository, commit and path in one, as the ledger keeps it."""
        return f"{self.name}@{version.commit}:{version.path}"

    def _read(self, *words: str, fails: str | None = None) -> str:
        """What git prints of the clone alone, whatever the user's settings are."""
        try:
            return self._git(*words, local=True).decode("utf-8", errors="replace")
        except DownloadError:
            if fails is None:
                raise
            return fails

    def _git(self, *words: str, local: bool = False, most: int = 1 << 30) -> bytes:
        """Run git within limits of time and disk; what it prints."""
        where = [] if words[0] == "clone" else [f"--git-dir={self._folder / 'clone'}"]
        out, err = self._folder / "out", self._folder / "err"
        room = _size(self._folder) + 2 * most  # what is fetched, and what is printed of it
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
            end = time.monotonic() + self._limit
            try:
                running = True
                while running:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.5)
                    running = process.returncode is None
                    if running and time.monotonic() > end:
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
                if process.returncode is None:
                    _kill(process)
        if process.returncode:
            text = err.read_text(encoding="utf-8", errors="replace").strip() or "no reason given"
            said = next((x for x in text.splitlines() if x.startswith("fatal: ")), text)
            why = re.sub(r"//[^/@\s]*@", "//", said.removeprefix("fatal: "))
            raise DownloadError(
                f"git cannot read {self.name}: {plain(' '.join(why.split()).rstrip('.'), 200)}",
                hint="is the address right, and is there a network?",
            )
        return out.read_bytes()


def fetch_history(
    archive: Archive | str | os.PathLike[str],
    history: History,
    versions: Sequence[Version],
    *,
    dataset: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Tried, ...]:
    """Add the versions of a file to an archive, each as the release that its content is.

    The content says which data set it is of. States are dated by their last month, as CDC's other
    past releases are, and counties by the day that the data are of; never later than the commit.
    Two contents of one release are compared, and the first is kept.

    Parameters
    ----------
    archive : Archive or path
        Where to; a folder is made if it does not exist.
    history : History
        The repository.
    versions : sequence of Version
        Of :meth:`History.versions`.
    dataset : {"states", "counties"}, optional
        Refuse the other one.
    progress : callable, optional
        Called as ``progress(versions_done, versions_in_all)``.

    Returns
    -------
    tuple of Tried
        One for each version. A version that is refused does not stop the others.

    Raises
    ------
    DownloadError
        If several versions in a row cannot be fetched, and none could before.
    ArchiveError
        If the archive lies in memory, or is damaged.
    """
    run = _Run(archive, history, dataset)
    done: list[Tried] = []
    for number, version in enumerate(versions):
        if progress is not None:
            progress(number, len(versions))
        done.append(run.one(version))
        if len(done) >= _SILENT and all(tried.status == "gone" for tried in done):
            raise DownloadError(done[-1].words, hint="try again later")
    if progress is not None:
        progress(len(versions), len(versions))
    return tuple(done)


def here(
    archive: Archive | str | os.PathLike[str], history: History, versions: Sequence[Version]
) -> list[str]:
    """What is here of each version: ``"there"``, ``"apart"``, ``"kept"`` (bytes) or ``"-"``."""
    run = _Run(archive, history, None)
    return [
        run.here(history.place(v)) or ("kept" if run.file(v).exists() else "-") for v in versions
    ]


class _Run(Intake):
    """One pass over versions."""

    def __init__(
        self, archive: Archive | str | os.PathLike[str], history: History, dataset: str | None
    ) -> None:
        super().__init__(archive)
        self.history, self.dataset = history, dataset

    def file(self, version: Version) -> Path:
        """Where the bytes of a version are kept."""
        name = re.sub(r"[^\w. ()-]", "_", PurePosixPath(version.path).name)
        return self.folder / version.blob / name[-100:]

    def one(self, version: Version) -> Tried:
        """Get a version, read it, date it, and add or compare it."""
        place = self.history.place(version)
        if (date := self.held.get(place)) is not None:
            return Tried(version, "there", date, "there already, from this commit")
        if (date := self.quarantined.get(place)) is not None:
            why = (
                "quarantined before, because it contradicts itself: odforecast data releases --log"
            )
            return Tried(version, "quarantined", date, why)
        date = None
        try:
            file = self._kept(version)
            loaded, basis = self._dated(version, file)
            date = loaded.release
            return self._take(version, loaded, basis)
        except DownloadError as error:
            return Tried(version, "gone", None, error.message)
        except QuarantineError as error:
            return Tried(version, "quarantined", date, error.message)
        except (DataError, ArchiveError) as error:
            return Tried(version, "refused", date, f"refused: {error.message}")

    def _kept(self, version: Version) -> Path:
        """The file of a version, downloaded unless it is here."""
        file = self.file(version)
        if file.exists() and version.named(file.read_bytes()) == version.blob:
            return file
        content = self.history.content(version)
        if content.startswith(_POINTER):
            raise DataError("a pointer of large-file storage (git LFS), not the file itself")
        with replacing(file) as part:
            part.write_bytes(content)
        return file

    def _dated(self, version: Version, file: Path) -> tuple[Release, str]:
        """The release in a file under its own date, and how that is known."""
        bound = min(version.day, dt.date.today())
        try:
            loaded = read_release(file, bound)
        except DataError as refused:
            # A table that this package exported says its own date, and is read under no other.
            with contextlib.suppress(DataError):
                loaded = read_release(file)
                if loaded.release <= bound and self.dataset in (None, STATES):
                    return loaded, "known"
            raise refused
        if isinstance(loaded, Counties):
            found, date, basis = COUNTIES, loaded.data_as_of, "inferred"
        else:
            last = loaded.report.last_month
            listed = [c for c in past_copies() if c.last_month == last]
            known = bool(listed) and listed[0].basis == "known" and listed[0].release <= bound
            date = min(listed[0].release if listed else publication_date(last), bound)
            found, basis = STATES, "known" if known else "last month"
        if self.dataset not in (None, found):
            raise DataError(f"these are counts of {found}, and {self.dataset} were asked for")
        return (loaded if loaded.release == date else read_release(file, date)), basis

    def _take(self, version: Version, loaded: Release, basis: str) -> Tried:
        """Add a release that is not there; compare one that is."""
        held = self.twin(loaded)
        if held is not None:
            found = self.compared(held, loaded)
            if not found.differ:
                return Tried(version, "same", held, f"same counts as release {held}")
            words = f"{found.differ:,} of {found.cells:,} counts differ from release {held}"
            return Tried(version, "differs", held, f"{words}, which is kept")
        place = self.history.place(version)
        origin = Origin("past", place, basis, "git blob, structure")
        self.archive.add(loaded, origin=origin)
        self.held[place] = loaded.release
        words = f"added, {len(loaded.table):,} rows to {loaded.table['month'].max():%Y-%m}"
        return Tried(version, "added", loaded.release, words)


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


_HINT = f"give the folder of a repository, or an address that begins with {', '.join(_SCHEMES)}"


def _checked_path(path: str) -> str:
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or path.startswith("-") or re.search(r"[\x00-\x1f]", path):
        raise DataError(
            f"{quoted(path)} is not a path in a repository",
            hint="give it from the top of the repository: data/counts.csv",
        )
    return path


def _day(seconds: str) -> dt.date:
    """Day in Washington; today where a commit's clock is beyond all days."""
    try:
        return dt.datetime.fromtimestamp(int(seconds), _WASHINGTON).date()
    except (OverflowError, ValueError, OSError):
        return dt.date.today()


def _environment(local: bool) -> dict[str, str]:
    """Variables for git: those of a surrounding repository, and programs that ask, are left out.

    A clone needs the user's proxies, keys and certificates; reading it needs none of them.
    """
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


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and the programs that it started."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
