"""What a person sees of a training: grids, curves, the film of its evolution, and one HTML page.

Everything here is made from the files of a run folder; it knows neither networks nor how they learn.
"""
