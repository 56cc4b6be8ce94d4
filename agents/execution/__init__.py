"""Execution: agents that work a parent order over time, which are also plans that any agent can let work for it.

``trajectory`` is the mathematics, ``plan`` the parameters that all share, ``working`` the engine that sends the orders.
"""
