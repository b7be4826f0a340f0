"""Configuration: one module per option group. The config object is made here and passed in; nothing is global."""
