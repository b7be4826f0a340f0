"""The ``accel`` command line. Talks HTTP only."""
