"""Binance's spot dialect over a live session: requests, answers, errors, streams and user data.

``operations`` is the table of everything that can be asked, by HTTP and by the WebSocket API alike; the other modules
answer. Nothing here opens a socket, and nothing here matches an order.
"""
