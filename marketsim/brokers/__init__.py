"""Ways an order executes: the brokers behind which an agent does not know where it trades."""
