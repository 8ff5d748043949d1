"""How good a model is: metrics, reference points, evaluation over images."""
