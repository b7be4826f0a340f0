"""How the schema came to be, one revision after the other. ``accel-manage db upgrade`` walks them."""
