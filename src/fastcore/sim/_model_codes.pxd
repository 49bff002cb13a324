# The numbers of model_codes.py, for compiled code.
cdef enum:
    RISK_AVERSE = 0
    LOG_PROB = 1
    LOG_PROB2 = 2
    POWER_PROB = 3
    POWER_PROB2 = 4
    POWER_PROB3 = 5
    CONSTANT = 0
    INTERPOLATED = 1
    JITTERED = 2
    PER_VALUE = 0
    PER_QUANTITY = 1
    FLAT = 2
    CURVE = 3
    LINEAR = 0
    INVERSE = 1
    BINARY = 2
