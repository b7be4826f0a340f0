"""What an accelerator is: frozen values and pure functions that know nothing of databases, messages or HTTP."""
