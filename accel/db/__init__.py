"""Tables, queries and migrations: the only package with SQL.

What the API lists has a module of its name: ``devices``, ``deployables``, ``nodes``, ``requests``, ``jobs`` …
``paging`` is what makes a list of it, ``scope`` whose rows a caller sees. Beside these there are

- the tables: ``tables``, ``image_tables``, ``job_tables``, ``use_tables``; ``rows`` and the modules with ``texts`` in
  their names make values of columns, ``migrate`` makes the schema, ``engine`` is one database with its transactions;
- reports: ``heard`` locks the node, ``recorded`` reads what is known of it, ``inventory`` writes the difference,
  ``history`` tells of it, ``expiry`` removes what is gone;
- requests: ``places`` finds handles, ``claims`` takes and gives them back, ``transitions`` moves the states, and
  ``sharing`` lets callers share a transaction, ``work`` is the conductor's part;
- claims of placement: ``taking`` with ``new_claims``, ``releasing``, ``placement_claims``, on what ``fleet`` and
  ``occupancy`` have read;
- jobs: ``job_work`` is the conductor's part, ``fences`` keeps others away meanwhile;
- others who are told: ``providers`` and ``placement_nodes`` (OpenStack Placement), ``notifications`` (Nova);
- who tell us: ``uses`` (kubelets).
"""
