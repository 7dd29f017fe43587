"""The experiments of the 2018 paper: four algorithms on regression tasks."""
