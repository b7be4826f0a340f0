"""What each route does: read or write the database in one transaction, render the rows."""
