import json

import numpy as np
import pytest

from gatewise.data import Standardizer
from gatewise.errors import DataError


def test_only_the_rows_of_the_mask_count():
    values = np.array([[1.0, 10.0], [3.0, np.nan], [np.nan, 30.0], [1e9, np.inf]])
    scaler = Standardizer.fit(values, np.array([True, True, True, False]))
    np.testing.assert_allclose(scaler.mean, [2, 20])
    np.testing.assert_allclose(scaler.scale, [1, 10])
    entries = np.array([[True, False], [True, True], [True, True], [False, False]])
    np.testing.assert_allclose(Standardizer.fit(values, entries).mean, [2, 30])


def test_transform_and_inverse_undo_each_other():
    rng = np.random.default_rng(0)
    values = rng.normal([5, -3, 1e6], [2, 0.1, 3], size=(500, 3))
    scaler = Standardizer.fit(values)
    scaled = scaler.transform(values)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-12)
    np.testing.assert_allclose(scaler.inverse(scaled), values, rtol=1e-14)
    windows = values[:490].reshape(7, 70, 3)
    np.testing.assert_array_equal(scaler.transform(windows), scaled[:490].reshape(7, 70, 3))


def test_one_channel_types_and_missing_values():
    scaler = Standardizer.fit(np.array([2.0, 4.0, np.nan]))
    np.testing.assert_array_equal(scaler.transform(np.array([5, 3])), [2, 0])
    assert scaler.transform(np.array([5], np.float32)).dtype == np.float32
    assert np.isnan(scaler.transform(np.array([np.nan])))[0]
    np.testing.assert_array_equal(scaler.inverse(np.array([[1.0], [0.0]])), [[4], [3]])


def test_no_variance_and_no_values():
    constant = Standardizer.fit(np.full((3, 1), 0.1))
    assert constant.scale.tolist() == [1]
    empty = Standardizer.fit(np.full((3, 1), np.nan))
    assert (empty.mean.tolist(), empty.scale.tolist()) == ([0], [1])
    tiny = Standardizer.fit(np.array([1e-20, 3e-20]))
    np.testing.assert_allclose(tiny.scale, 1e-20)


def test_it_is_kept_in_files_exactly():
    scaler = Standardizer.fit(np.random.default_rng(0).normal(size=(10, 2)))
    again = Standardizer.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.mean, scaler.mean)
    np.testing.assert_array_equal(again.scale, scaler.scale)


def test_errors():
    scaler = Standardizer.fit(np.zeros((3, 2)))
    for wrong, part in (
        (lambda: Standardizer.fit(np.zeros((2, 2, 2))), r"\[N, X\] or \[N\], got \[2, 2, 2\]"),
        (lambda: Standardizer.fit(np.zeros((3, 2)), np.ones(2, bool)), r"mask \[3\]"),
        (lambda: Standardizer.fit(np.array([1.0, np.inf])), "infinite"),
        (lambda: scaler.transform(np.zeros((4, 3))), "2 channels"),
        (lambda: scaler.inverse(np.zeros(4)), "2 channels"),
        (lambda: Standardizer.from_dict({"mean": [0.0]}), "mean, scale"),
        (lambda: Standardizer.from_dict({"mean": [0.0], "scale": [0.0]}), "above 0"),
        (lambda: Standardizer.from_dict({"mean": [0.0, 1.0], "scale": [1.0]}), "one scale"),
        (lambda: Standardizer.from_dict({"mean": [float("nan")], "scale": [1.0]}), "finite mean"),
    ):
        with pytest.raises(DataError, match=part):
            wrong()
