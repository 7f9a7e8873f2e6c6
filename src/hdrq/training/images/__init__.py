"""Training of networks whose output is an image: examples made from HDR scenes, losses on images, their training loop.

A network whose output is an image is added by two files: the network in nn/nets, and a recipe in training/recipes that
says what an example is and what the network makes of it:

    from hdrq.training.images import brackets
    from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe

    def _output(module, batch, settings):
        return ImageOutput(module(batch["stack"], batch["exposure"]), "linear", target=batch["light"])

    my_net = ImageRecipe(
        name="my-net",
        net="my-net",
        source="doi:...",
        example=brackets.example,     # (scenes, settings, chance) -> {name: tensor}, one example
        output=_output,
        settings={"loss": {"mu:l1": 1.0, "mu:gradient-profile": 0.1}, "ev": (-2.0, 0.0, 2.0), "epochs": 20},
    )

`hdrq train --recipe my-net --data SCENES` then trains it: steps, validation on held-out scenes, checkpoints and weights with
a card. Example makers: `exposures.example` (one photograph of a scene), `brackets.example` (a bracket with motion),
`exposures.scene` (light alone). A recipe may have its own.

losses/           Losses on images, one per file
brackets          Examples: exposure brackets of moving scenes
camera            Random windows of scenes, and a camera: response, noise, clipping, rounding
critic            The discriminator of adversarial losses
exposures         Examples: virtual exposures of scenes
image_loop        The training loop of networks whose output is an image: steps, validation, checkpoints
image_recipe      The record of a recipe: what an example is, and what the network makes of it
image_run         One training of a network whose output is an image, from its arguments to weights with a card
image_settings    Settings of the training of a network whose output is an image
loss              Losses by name; metrics as losses
merging_recipes   What the recipes of networks that merge brackets share
operator_recipes  What the recipes of networks that predict an operator's parameters share
scenes            HDR scenes to make training examples from: read once, reduced, and split by scene
"""
