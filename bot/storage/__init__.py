"""The one door to the database: tables, `store` for writes, `queue` for the worker, `queries` for pages."""
