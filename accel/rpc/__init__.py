"""Messages between the services: oslo.messaging below, the wire form of the model above."""
