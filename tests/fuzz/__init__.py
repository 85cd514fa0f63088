"""Fuzzing of everything that reads files and text of other people.

    cd tests && python -m fuzz [TARGET …] [--seconds 60] [--seed 0]

With Atheris (``pip install atheris``) mutation is guided by coverage, one target at a time. Without it, mutations are
random. Executions and findings are printed, each finding once by error and place, with its input in hexadecimal.
"""
