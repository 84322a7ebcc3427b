"""OnlineFeatures, computed: docs/features.md has every formula."""

from runtime.features.model import Prediction, Predictor
from runtime.features.record import Features

__all__ = ["Features", "Prediction", "Predictor"]
