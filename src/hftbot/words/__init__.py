"""The vocabulary: one meaning each. Everyone may speak it."""
