"""The gateway: the simulated market as an exchange that real clients reach over HTTP and WebSocket.

It speaks a venue's dialect, knows who knocks and hands each request to that client's seat in the market, where it goes
the way of every agent's. It never matches, prices or fills anything itself.
"""
