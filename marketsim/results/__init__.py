"""What a run leaves behind: its event log, its manifest, its folder, and the tables rebuilt from them.

Nothing here analyses a market or knows how it was simulated.
"""
