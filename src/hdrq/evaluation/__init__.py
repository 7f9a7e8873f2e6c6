"""Agreement of metrics with subjective scores: datasets, statistics, protocols, reports.

datasets/       Archives as lists of pairs, one per file
report/         The HTML report of an evaluation, with tables and figures
statistics/     Correlations, curve fits, confidence intervals and tests
api             hdrq.evaluate, correlations and preferences: what commands import
archive         Datasets with subjective scores: their cards, where their files are, and which are missing
codes           Codes of a network that separates quality from content, over a dataset, and their t-SNE as figures
correlations    Correlations between metrics, without subjective scores
dataset_scores  Scores of a dataset's pairs: stored ones are reused, missing ones computed
evaluate        Evaluation: from subjective scores and metric values to statistics of agreement
held_out        Which images of a dataset the weights of a metric were trained on, by their cards
loose_archive   Datasets without a fixed layout: images anywhere below a folder and one table of subjective scores
merged_ratings  Subjective scores of several datasets on the scale of one of them
preferences     Pairwise comparisons: how often a metric agrees with the preferences of observers
protocols       Splits into training, validation and test scenes
published       Figures that others have published, from a table, to stand beside those that are measured here
ratings         Subjective scores and metric values of the same images: the table that is evaluated
request         The request for an evaluation, and the subjective scores and metric values that follow from it
result          The result of an evaluation: rows for a table, significance tests, breakdowns, figures and a report
score_table     Tables of metric values, with or without subjective scores: long (columns metric, value) or wide
significance    Significance of differences between metrics on the same images, and their resolving power
tables          Reading tables as rows: CSV, text, MAT and Excel files; errors name the line
tampere         What TID2008, TID2013 and the test sets of IMQNet share
"""
