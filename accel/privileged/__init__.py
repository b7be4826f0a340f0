"""What takes privilege, and nothing else: a few small acts, each checked against a list of what is allowed.

Looking at hardware needs no privilege. Changing it does, and the process that decides about it should have none. So
each kind of act has a context of its own: a process that keeps the one or two capabilities the act takes, answers to
one client and ends with it. ``allowed`` says what each context lets through; it is checked where the privilege is.

``base.Privileged`` is what drivers are given. There are two of it: ``Separated`` for the machine we run on, by
oslo.privsep, and ``Direct`` for a host made of files, where whoever may write the files may act.
"""
