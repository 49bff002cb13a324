"""The only place where money changes state: synchronous and deterministic."""
