"""The 52 checks of hubValidations, by their own names: what each says, and what it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

CONFIG, TIME = "validate_submission", "validate_submission_time"
FILE, DATA, METADATA = "validate_model_file", "validate_model_data", "validate_model_metadata"
TARGET_FILE, TARGET_SET = "validate_target_file", "validate_target_dataset"
TARGET_DATA = "validate_target_data"

#: What a check came to.
type Status = Literal["passed", "failed", "not run"]
PASSED: Final = "passed"
FAILED: Final = "failed"
NOT_RUN: Final = "not run"


@dataclass(frozen=True)
class Known:
    """One check as hubValidations' table of checks lists it.

    Attributes
    ----------
    name : str
        Its name; that of its function where hubValidations gives it none (the four optional).
    says : str
        What it says of a file that passes.
    stops : bool
        Whether the checks after it are not run once it failed.
    applies_to : str
        The function of hubValidations that runs it.
    function : str
        The function of hubValidations that it is.
    optional : bool
        Whether it is run only where a hub's ``validations.yml`` asks for it.
    """

    name: str
    says: str
    stops: bool
    applies_to: str
    function: str
    optional: bool = False


def _known(group: str, rows: str) -> list[Known]:
    """Lines of ``name * function | what it says``; a star: its failure stops those after it."""
    found = []
    for line in rows.strip().splitlines():
        head, says = line.split(" | ")
        words = head.split()
        found.append(Known(words[0], says.strip(), "*" in words, group, words[-1]))
    return found


_GROUPS = {
    CONFIG: """
valid_config * check_config_hub_valid | Hub config valid
""",
    TIME: """
submission_time check_submission_time | Current time within file submission window
""",
    FILE: """
file_exists * check_file_exists | File exists at `file_path` provided
file_name * check_file_name | File name valid
file_location check_file_location | File located in correct team directory
round_id_valid * check_valid_round_id | File round ID is valid hub round IDs
file_format * check_file_format | File format is accepted hub/round format
file_n check_file_n | Number of submission files per round per team does not exceed allowed number
metadata_exists check_submission_metadata_file_exists | Model metadata file exists in expected location
""",  # noqa: E501
    DATA: """
file_read * check_file_read | File can be read without errors
valid_round_id_col check_valid_round_id_col | Round ID var from config exists in data column names. Skipped if `round_id_from_var` is FALSE in config.
unique_round_id * check_tbl_unique_round_id | Round ID column contains a single unique round ID. Skipped if `round_id_from_var` is FALSE in config.
match_round_id * check_tbl_match_round_id | Round ID from file contents matches round ID from file name. Skipped if `round_id_from_var` is FALSE in config.
colnames * check_tbl_colnames | File column names match expected column names for round (i.e. task ID names + hub standard column names)
col_types check_tbl_col_types | File column types match expected column types from config. Mainly applicable to parquet & arrow files.
valid_vals * check_tbl_values | Columns (excluding the `value` and any derived task ID columns) contain valid combinations of task ID / output type / output type ID values
derived_task_id_vals check_tbl_derived_task_id_vals | Derived task ID columns contain valid values.
rows_unique check_tbl_rows_unique | Columns (excluding the `value` and any derived task ID columns) contain unique combinations of task ID / output type / output type ID values
req_vals check_tbl_values_required | Columns (excluding the `value` and any derived task ID columns) contain all required combinations of task ID / output type / output type ID values
value_col_valid check_tbl_value_col | Values in `value` column are coercible to data type configured for each output type
value_col_non_desc check_tbl_value_col_ascending | Values in `value` column are non-decreasing as output_type_ids increase for all unique task ID /output type value combinations. Applies to `quantile` or `cdf` output types only
value_col_sum1 check_tbl_value_col_sum1 | Values in the `value` column of `pmf` output type data for each unique task ID combination sum to 1.
spl_mt_unique * check_tbl_spl_mt_unique | Individual sample output_type_ids do not span multiple model tasks.
spl_compound_taskid_set * check_tbl_spl_compound_taskid_set | Sample compound task id sets for each modeling task match or are coarser than the expected set defined in tasks.json config.
spl_compound_tid * check_tbl_spl_compound_tid | Samples contain single unique values for each compound task ID within individual samples (v3 and above schema only).
spl_non_compound_tid * check_tbl_spl_non_compound_tid | Samples contain single unique combination of non-compound task ID values across all samples (v3 and above schema only).
spl_n check_tbl_spl_n | Number of samples for a given compound idx falls within accepted compound task range (v3 and above schema only).
""",  # noqa: E501
    METADATA: """
metadata_schema_exists * check_metadata_schema_exists | A model metadata schema file exists in `hub-config` directory.
metadata_file_exists * check_metadata_file_exists | A file with name provided to argument `file_path` exists at the expected location (the `model-metadata` directory).
metadata_file_ext * check_metadata_file_ext | The metadata file has correct extension (yaml or yml).
metadata_file_location * check_metadata_file_location | The metadata file has been saved to correct location.
metadata_matches_schema * check_metadata_matches_schema | The contents of the metadata file match the hub's model metadata schema
metadata_file_name * check_metadata_file_name | The metadata filename matches the model ID specified in the contents of the file.
""",  # noqa: E501
    TARGET_FILE: """
target_file_exists * check_file_exists | File exists at `file_path` provided.
target_partition_file_name * check_target_file_name | Hive-style partition file path segments are valid and can be parsed successfully. Skipped if target dataset not hive-partitioned.
target_file_ext * check_target_file_ext_valid | Target data file extension is valid.
""",  # noqa: E501
    TARGET_SET: """
target_dataset_exists * check_target_dataset_exists | Target dataset can be successfully detected for a given target type.
target_dataset_unique * check_target_dataset_unique | A single unique target dataset exists for a given target type.
target_dataset_file_ext_unique * check_target_dataset_file_ext_unique | All files of a given target type share a single unique file format.
target_dataset_rows_unique check_target_dataset_rows_unique | Target dataset rows are all unique.
""",  # noqa: E501
    TARGET_DATA: """
target_file_read * check_target_file_read | Target data file can be read successfully.
target_tbl_colnames * check_target_tbl_colnames | Target data file has the correct column names according to target type.
target_tbl_coltypes * check_target_tbl_coltypes | Target data file has the correct column types according to target type.
target_tbl_ts_targets * check_target_tbl_ts_targets | Targets in a time-series target data file are valid. Only performed on `time-series` data files.
target_tbl_rows_unique check_target_tbl_rows_unique | Target data file rows are all unique.
target_tbl_values * check_target_tbl_values | Task ID columns in a target data file have valid task ID values.
target_tbl_output_type_ids * check_target_tbl_output_type_ids | Output type ID values in a target data file are valid and complete. Only performed when the target data file contains an `output_type_id` column.
target_tbl_oracle_value check_target_tbl_oracle_value | Oracle values in a target data file are valid. Only performed on `oracle output` data files.
""",  # noqa: E501
}

MAX_MODELS = "opt_check_metadata_team_max_model_n"
COL_TIMEDIFF = "opt_check_tbl_col_timediff"
COUNTS_LT_POPN = "opt_check_tbl_counts_lt_popn"
HORIZON_TIMEDIFF = "opt_check_tbl_horizon_timediff"

_OPTIONAL = [
    Known(
        MAX_MODELS,
        "The number of metadata files submitted by a single team does not exceed the maximum "
        "number allowed.",
        False, METADATA, MAX_MODELS, True,
    ),
    Known(
        COL_TIMEDIFF,
        "Time difference between values in two date columns equal a defined period.",
        False, DATA, COL_TIMEDIFF, True,
    ),
    Known(
        COUNTS_LT_POPN,
        "Predicted values per location are less than total location population.",
        False, DATA, COUNTS_LT_POPN, True,
    ),
    Known(
        HORIZON_TIMEDIFF,
        "Time difference between values in two date columns equals a defined time period defined "
        "by values in a horizon column.",
        False, DATA, HORIZON_TIMEDIFF, True,
    ),
]  # fmt: skip

#: All checks, in hubValidations' order, which is that in which they are run.
CHECKS: tuple[Known, ...] = (
    *(check for group, rows in _GROUPS.items() for check in _known(group, rows)),
    *_OPTIONAL,
)

#: The checks by name.
BY_NAME = {check.name: check for check in CHECKS}


def names(*groups: str) -> tuple[str, ...]:
    """Names of the checks that are not optional, of some groups, in the order of their running.

    Examples
    --------
    >>> names(TARGET_FILE)
    ('target_file_exists', 'target_partition_file_name', 'target_file_ext')
    """
    return tuple(c.name for c in CHECKS if c.applies_to in groups and not c.optional)
