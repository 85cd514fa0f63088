"""The studio: a web page and an HTTP API, over a queue of jobs that worker processes take.

One server process answers requests and never opens an image. Worker processes decode, paint and train; they can be
killed at any moment. Both share a database (SQLite, or PostgreSQL for several servers) and one folder of files.
"""
