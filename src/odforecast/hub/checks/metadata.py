"""Checks of a model's metadata file: ``validate_model_metadata``."""

from __future__ import annotations

from pathlib import Path

from odforecast.hub.checks.config import Seen, by_schema
from odforecast.hub.checks.known import METADATA, names
from odforecast.hub.checks.outcome import Finding, Ledger
from odforecast.hub.checks.place import Unreadable, read_yaml, why_not
from odforecast.hub.layout import CONFIG, MODEL_METADATA

_ORDER = names(METADATA)


def check_metadata(path: Path, seen: Seen, ledger: Ledger) -> None:
    """Run ``validate_model_metadata`` on one file."""
    file = seen.relative(path)

    def judged(name: str, findings: list[Finding]) -> bool:
        if ledger.judged(name, file, findings):
            return True
        if name != "metadata_file_ext":  # its place is looked at all the same
            left = _ORDER[_ORDER.index(name) + 1 :]
            ledger.not_run(left, file, f"stopped by {name}, which failed")
        return False

    schema = seen.metadata_schema
    missing = Finding(f"no {CONFIG}/model-metadata-schema.json")
    if not judged("metadata_schema_exists", [missing] if schema is None else []):
        return
    assert schema is not None
    reason = why_not(path, seen.root)
    if not judged("metadata_file_exists", [Finding(reason)] if reason else []):
        return
    ending = path.suffix.removeprefix(".")
    wrong = [] if ending in ("yml", "yaml") else [Finding("must be yml or yaml", value=ending)]
    is_yaml = judged("metadata_file_ext", wrong)
    folder = path.parent.relative_to(seen.root / MODEL_METADATA).as_posix()
    wrong = (
        [] if folder == "." else [Finding(f"belongs into {MODEL_METADATA} itself", value=folder)]
    )
    if not judged("metadata_file_location", wrong):
        return
    if not is_yaml:
        left = _ORDER[_ORDER.index("metadata_file_location") + 1 :]
        ledger.not_run(left, file, "stopped by metadata_file_ext, which failed")
        return
    try:
        found = read_yaml(path, seen.root)
    except Unreadable as error:
        judged("metadata_matches_schema", [Finding(str(error))])
        return
    if not judged("metadata_matches_schema", by_schema(found, schema)):
        return
    model = found.get("model_id", f"{found.get('team_abbr')}-{found.get('model_abbr')}")
    wrong = []
    if model != path.stem:
        wrong = [Finding(f"the file says that the model is {model}", value=path.stem)]
    judged("metadata_file_name", wrong)
