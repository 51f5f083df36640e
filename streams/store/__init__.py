"""PostgreSQL access with asyncpg and SQL: one function per operation.

Each function takes a connection and never commits, so that the caller owns the transaction.
"""
