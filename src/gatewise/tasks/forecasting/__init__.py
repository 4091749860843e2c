"""Forecasting: one or many series, their covariates, quantiles of every lead."""

from gatewise.tasks.forecasting.backtest import Backtest
from gatewise.tasks.forecasting.forecaster import Forecaster
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.scores import Scores

__all__ = ["Backtest", "Forecaster", "Recipe", "Scores"]
