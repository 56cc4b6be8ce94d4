"""Traders: every agent that ships with marketsim, one file or small family each."""
