"""The same work on many machines, and tables made in parts.

api            Connecting to workers, and tables computed in shards: what commands import
connect        Where the workers are: processes of this machine, a running scheduler, or jobs of a queueing system
local          A scheduler and workers that are processes of this machine
local_process  The program that is the parent of a scheduler and workers on this machine
pace           How many items make a chunk, by the time that they take
queued         Workers that are jobs of a queueing system: SLURM, PBS, LSF, SGE and others, by dask-jobqueue
shards         Shards: every n-th pair of a list scored separately, and the tables of all shards joined to that of the list
spread         A job's items divided among workers
worker         Code of a worker process: a report of what is installed there, and the processing of chunks of a job's items
workers        The workers of a cluster: who is there, and whether each can do the work of this process
"""
