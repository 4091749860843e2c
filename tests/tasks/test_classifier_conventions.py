"""scikit-learn's own checks of an estimator, run on X of shape [S, T]: S sequences of T steps and one channel."""

import os

import pytest
from sklearn.utils.estimator_checks import check_estimator

from gatewise.tasks import Classifier

# A check that fails for a reason of principle, and the reason. Everything not named here must pass.
CHANNELS = (
    "a row of X is a sequence of T steps and one channel here: n_features_in_ counts channels, and another T is "
    "another length, which is allowed"
)
EXPECTED = {
    "check_n_features_in": CHANNELS,
    "check_n_features_in_after_fitting": CHANNELS,
    "check_classifiers_train": CHANNELS,
    "check_fit2d_predict1d": "the message asks to put a single sequence into a list, not to reshape it",
    "check_estimators_empty_data_messages": "the message speaks of an empty sequence, not of 0 features",
    "check_dtype_object": "a sequence that holds no numbers is a DataError, so a ValueError, and not a TypeError",
    "check_classifier_data_not_an_array": "a pandas frame [S, T] is read as a long table, one row a time step",
}


@pytest.mark.filterwarnings("ignore:No validation part:UserWarning")  # the checks' classes are often tiny
def test_scikit_learns_checks_pass_or_fail_as_expected() -> None:
    model = Classifier(hidden_size=8, members=1, max_epochs=30, patience=None, threads=1)
    results = check_estimator(model, on_fail=None, on_skip=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    unexpected = {name: error for name, error in failed.items() if name not in EXPECTED}
    assert not unexpected
    assert failed.keys() == EXPECTED.keys()
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}, "needs an environment variable: " + os.environ.get(
        "SCIPY_ARRAY_API", ""
    )
    assert sum(result["status"] == "passed" for result in results) >= 40
