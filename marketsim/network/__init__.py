"""How long a message takes: latency models, links, topologies. The network knows no order, agent or book."""
