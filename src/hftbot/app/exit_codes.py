"""What the process ends with, as `hftbot --help` tells it; what an error ends with is its own."""

EXIT_FAILED = 1
EXIT_NOT_VERIFIED = 4
EXIT_HALTED = 5
EXIT_UNEXPECTED = 70
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141
