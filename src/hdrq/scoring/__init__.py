"""Scores of images: a metric bound to what it needs, batches, error maps, resumption.

features/       What several metrics share
metrics/        One metric a file: a function and its card
sampling/       Patch positions (`plan`) and extraction (`cut`); random choices are separate from deterministic code
api             hdrq.score, hdrq.metric and tables that can be resumed: what commands import
batch           Scores of pairs, one row at a time: bind, read, prepare, compute
binding         A request with its options, display, viewing and weights made into a Scorer
calibration     Scores of learned metrics as JOD, by the card of their weights
clip_scores     Values of clips: streamed to metrics of sequences, averaged over frames for metrics of images
clips           Clips: video files and folders of frames, read one frame ahead
comparison      The images of one comparison: device, domain, what they share, and refusals
error_maps      Error maps as files: values as float EXR, and a PNG with a legend
gradient_maps   Maps of how strongly each pixel changes the score of a no-reference network
module          hdrq.metric: a metric as a torch module, for arrays, files, data loaders and training loops
pairs           Pairs as callers may give them, and settings in rows of a manifest
prefetch        Images read ahead of the computation, each file once
request         [stage:]...metric[@weights][,option=value]... parsed; options of a metric without importing it
response_match  Camera-response correction of the SI-HDR protocol
resume          Resumption: rows of earlier runs, the journal, recognition of unchanged files
rows            Output rows, and the names of error maps
run             hdrq.score, and runs that can be resumed
scorer          The Scorer: a metric with all that it needs; from images to a value
work            Scoring as a job that may be divided
"""
