"""Training of learned metrics: data, losses, domain adaptation, meta-learning, checkpoints.

images/               The training of networks whose output is an image
recipes/              Training recipes, one per file
adaptation_recipes    Settings shared by the recipes of the HDR domain-adaptation paper
api                   hdrq.train, and the records that it yields: what commands import
batches               Batches of training images, drawn in an order that a seed gives
checkpoint            Files written by a training: checkpoints, the best weights, a log and its plot
choice                The settings of a training: of a recipe or of fine-tuning, with the overrides of the user
data                  Labelled items from the subjective scores of a dataset, with scenes held out for validation
disentanglement       Losses of QD-net's code of quality
display_augmentation  Display augmentation: training images are shown on a random display, drawn for every batch
distributed           Training in several processes
domain_adaptation     Domain adaptation losses: the distance between two domains in feature space by CORAL, MMD or an adversary
estimate              Estimate of data, parameters, time and memory of a training, from one step that is actually computed
experiment            Experiments: train once per split, test on the held-out images
experiment_file       experiment.json and the results of an experiment, one row a split
image_cache           Images decoded once into memory-mapped files, so that an epoch decodes nothing
image_checks          Checks of the images of a training before it starts
labels                Training labels from subjective scores: the conversions used in the papers, by name
layers                Features of a layer of a network, which domain adaptation compares
loop                  The training loop, for supervised training and meta-learning: steps, validation, checkpoints
losses                Training losses: error, ranking and correlation
meta_learning         Meta-learning over distortions: initial weights that adapt in a few steps
meta_tasks            Tasks of meta-learning: the images of one distortion, divided into a support and a query set
network               The network in training: construction, forward pass, parameter groups, optimiser and learning rates
overrides             Training settings made from a recipe, from JSON, or by overrides given as text
plan                  From the arguments to a plan of the training: settings chosen, data listed, everything checked
preview               What a training would do: its settings, its plan, and an estimate from one step
provenance            What the card of trained weights says of their training, and whether a repetition has the same data and code
random_state          The random state of a training, separate from that of the calling program
request               The arguments of a training
run                   One training, from its plan to weights with a card
run_folder            The folder of a training run: its settings as a file
settings              The settings of a training: names, defaults, checks
splits                The splits of an experiment: the scenes or distortions that each training holds out for testing
start_weights         Initial weights of a training: those of the same network, or of a backbone
supervised            Supervised training with optional domain adaptation: batches, losses, one optimisation step
validation            Validation on held-out items, and the criterion by which the best epoch is kept
"""
