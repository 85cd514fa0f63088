"""HTML reports of runs, evaluations, comparisons, explorations and studies, made from their files alone."""
