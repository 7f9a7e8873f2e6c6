"""Distillation: train a small network to predict a metric (samples, distortions, teacher scores, student, report).

distortions/    Distortions, one per file
api             hdrq.distill, and sets as image files: what commands import
captures        Methods of capture as distortions: a scene photographed by several exposures, which are merged
checks          Checks before training: the range of the teacher's scores, how well simple metrics predict them, the cost
codecs          Image codecs for 8-bit code: encode and decode
distill         Distil metrics into a small network: rows, teacher scores, checks, training, report
distortion      A distortion: a pure function that degrades an image by a stated amount, and its card
from_mos        A distillation whose teacher is subjective scores that exist already
image_files     Export of a set as image files for other programs: OpenEXR in cd/m² and a manifest
mos_teacher     Subjective scores as the teacher: the scores of a dataset or a manifest, for the same students
outcome         What a distillation yields, and what distillations from metrics and from subjective scores share
rendering       Render a row of a set as light: crop, display, distort. The result depends only on the row
report          Agreement of a student with its teacher on held-out scenes, and the weights file with its card
rows            The rows of a training set, each of which says how an image pair is rendered, and their table set.csv
samples         The rows of a training set, drawn at random from sources and distortions by a seed
sources         The source images that rows are cropped from
split           Split by scene: rows for training, rows for choosing the best epoch, and rows held out for the report
student         The student network: its training settings, rows as training items, and rendered images
task            The task of a distillation, and the rows and training settings that follow from it
teacher_scores  Teacher scores of a set, computed once, in batches, and their scale
"""
