"""What a trader sees and touches: the agent's base, orders, portfolio, feeds, and the ports Broker and Clock."""
