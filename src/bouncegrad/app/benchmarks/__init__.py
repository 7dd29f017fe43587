"""Tables of `bouncegrad benchmark`: accuracy, forecasts and speed, measured here beside published values."""
