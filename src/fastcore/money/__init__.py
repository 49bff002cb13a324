"""What we owe and may do: orders, position, throttle, risk, journal."""
