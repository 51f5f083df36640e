"""PostgreSQL: asyncpg and SQL, and nothing else. One operation a function.

Functions take the connection, so that the caller owns the transaction: nothing here commits.
"""
