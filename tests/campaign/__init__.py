"""Commands that are killed at random moments, started again, and compared with commands that were not.

    cd tests && python -m campaign [--kills 100] [--seed 0] [--log FILE] [--only NUMBER]

Each round chooses a job, a way to fail and a moment from its seed alone, so that ``--only`` repeats it.
"""
