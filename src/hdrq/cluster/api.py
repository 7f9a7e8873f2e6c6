"""What others use of the cluster: a `Spread` over workers, and tables that are computed in shards."""

from __future__ import annotations

from hdrq.cluster.connect import connect
from hdrq.cluster.local import Processes, prepare
from hdrq.cluster.shards import COLUMNS, Shard, join_tables, run_of

__all__ = ["COLUMNS", "Processes", "Shard", "connect", "join_tables", "prepare", "run_of"]
