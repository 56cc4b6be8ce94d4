"""Scenarios: YAML, Python dictionaries and command-line overrides become one validated ``ScenarioSpec``.

Nothing here runs a simulation or imports an agent before its name is asked for.
"""
