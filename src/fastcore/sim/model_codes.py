"""The kinds of the replay's models: queues, latencies, fees, contracts.

``_model_codes.pxd`` repeats the numbers for compiled code; a unit test keeps both equal.
"""

# Who leaves when a level shrinks without a trade: see fastcore.sim.queue.
RISK_AVERSE = 0
LOG_PROB = 1
LOG_PROB2 = 2
POWER_PROB = 3
POWER_PROB2 = 4
POWER_PROB3 = 5

# How long an order takes: see fastcore.sim.latency.
CONSTANT = 0
INTERPOLATED = 1
JITTERED = 2

# What a trade costs: see fastcore.sim.fees.
PER_VALUE = 0
PER_QUANTITY = 1
FLAT = 2
CURVE = 3

# What a quantity is worth: see fastcore.sim.fees.
LINEAR = 0
INVERSE = 1
BINARY = 2
