"""Its presence puts this folder on the path, so that every test may say ``from twins import``."""
