"""What others use of merging: hdrq.merge and hdrq.merge_brackets, their settings, and the files of a merge."""

from __future__ import annotations

from hdrq.io.exposures import number_of
from hdrq.merging.averaging import Weighting
from hdrq.merging.brackets import MergedBracket, is_of_brackets, merge_brackets
from hdrq.merging.file_settings import FileSettings
from hdrq.merging.merge import Merged, merge
from hdrq.merging.output import refuse_outputs, write_ghost_mask, write_merged
from hdrq.merging.report import MergeReport
from hdrq.merging.report_page import columns_of, facts_of, plot_response, write_report
from hdrq.merging.response.files import write_response
from hdrq.merging.settings import Settings

__all__ = [
    "FileSettings",
    "MergeReport",
    "Merged",
    "MergedBracket",
    "Settings",
    "Weighting",
    "columns_of",
    "facts_of",
    "is_of_brackets",
    "merge",
    "merge_brackets",
    "number_of",
    "plot_response",
    "refuse_outputs",
    "write_ghost_mask",
    "write_merged",
    "write_report",
    "write_response",
]
