"""The nouns of a market: units, instruments, orders, events, market data and the shape of tables.

Nothing here knows time, chance, a network, an agent or a file.
"""
