"""Loss functions, found by the name in a recipe where they are adversarial."""
