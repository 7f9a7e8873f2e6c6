"""Pure, differentiable tensor mathematics: what an array is worth, never what a file is called."""
