"""Colours of all figures."""

INK, MUTED, FAINT, PAPER, WRONG = "#1b1f25", "#6b7280", "#d5d9df", "#fdfdfc", "#b42318"
# The palette of Okabe and Ito, which can be distinguished with any colour vision, without its yellow and black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
