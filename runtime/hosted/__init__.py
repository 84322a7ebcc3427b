"""Exchanges through ccxt.pro, a library that owns its sockets: hosted here, and heard like any venue."""
