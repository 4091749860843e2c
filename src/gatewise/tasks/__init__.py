"""Tasks: estimators over data, layers and training, and the model folder they are kept in."""
