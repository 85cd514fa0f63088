"""Open a style for inference, shown in notebooks as :mod:`impasto.reports.styles` describes it."""

from impasto.inference.load import load as load
from impasto.reports import styles as styles
