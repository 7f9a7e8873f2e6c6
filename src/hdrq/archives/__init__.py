"""Archives of judged images: what they are, where they lie, what their tables say."""

from hdrq.archives.finding import Folder, locate, state
from hdrq.archives.record import Comparison, Dataset, dataset

__all__ = ["Comparison", "Dataset", "Folder", "dataset", "locate", "state"]
