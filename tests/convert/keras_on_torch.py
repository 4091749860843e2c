"""Keras on its torch backend, with settings of its own instead of those in the home of whoever runs the tests."""

import os
import tempfile
from unittest import mock

with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, KERAS_BACKEND="torch", KERAS_HOME=home):
    import keras

assert keras.backend.backend() == "torch", "keras was imported before with another backend"

__all__ = ["keras"]
