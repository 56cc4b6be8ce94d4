"""The compiled world: venues, links and compiled agents on one queue of events. It knows no policy by name."""
