"""What others use of merging: hdrq.merge, merge_brackets and merge_sequence, their settings, and the files of a merge."""

from __future__ import annotations

from hdrq.io import is_clip
from hdrq.io.exposures import number_of
from hdrq.merging.averaging import Weighting
from hdrq.merging.brackets import MergedBracket, is_of_brackets, merge_brackets
from hdrq.merging.file_settings import FileSettings
from hdrq.merging.merge import merge
from hdrq.merging.merged import Merged
from hdrq.merging.output import refuse_outputs, write_ghost_mask, write_merged
from hdrq.merging.report import MergeReport
from hdrq.merging.report_page import columns_of, facts_of, plot_response, write_report
from hdrq.merging.response.files import write_response
from hdrq.merging.sequence.capture import Capture
from hdrq.merging.sequence_files import MergedFrame, merge_sequence
from hdrq.merging.settings import Settings

__all__ = [
    "Capture",
    "FileSettings",
    "MergeReport",
    "Merged",
    "MergedBracket",
    "MergedFrame",
    "Settings",
    "Weighting",
    "columns_of",
    "facts_of",
    "is_clip",
    "is_of_brackets",
    "merge",
    "merge_brackets",
    "merge_sequence",
    "number_of",
    "plot_response",
    "refuse_outputs",
    "write_ghost_mask",
    "write_merged",
    "write_report",
    "write_response",
]
