"""The live world: real clock, real sockets, one session."""
