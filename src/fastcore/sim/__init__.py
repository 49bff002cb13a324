"""The other world: matching, queues, latency."""
