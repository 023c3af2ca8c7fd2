"""CAV by a linear support vector machine, fitted on the kernel."""

import warnings

import numpy as np
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from video_tcav.core.errors import ConvergenceError
from video_tcav.gram.cavs.fitter import CavFitter, Labelling, Weights
from video_tcav.gram.kernel import FactoredKernel, Kernel, kernel_of, kernel_scale

SVM_C = 1.0
"""Inverse penalty, as in scikit-learn, in units of the clips' mean squared distance from their centroid."""
TOLERANCE = 1e-8


class Svm(CavFitter):
    """Linear support vector machine with a soft margin, both classes weighted equally."""

    name = "svm"
    help = "linear support vector machine"
    methods_text = "a linear support vector machine"

    def fit(self, kernel: Kernel, labelling: Labelling) -> Weights:
        scaled = kernel / kernel_scale(kernel)
        draws = zip(labelling.labels, labelling.balanced_weights, strict=True)
        with config_context(assume_finite=True, skip_parameter_validation=True):  # checks take longer than the fits
            return np.stack([_machine(scaled, labels, weights) for labels, weights in draws])


def _machine(scaled: Kernel, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    used = np.flatnonzero(weights > 0)
    kernel = kernel_of(scaled, used)
    if isinstance(kernel, FactoredKernel):
        machine, inputs = SVC(kernel="linear", C=SVM_C, tol=TOLERANCE), kernel.factor.astype(float)
    else:
        machine, inputs = SVC(kernel="precomputed", C=SVM_C, tol=TOLERANCE), kernel
    with warnings.catch_warnings():
        # a direction that did not converge would look like a CAV
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            machine.fit(inputs, labels[used], sample_weight=weights[used])
        except ConvergenceWarning as warning:
            raise ConvergenceError(
                f"`cav` must converge. Got a svm classifier that did not ({warning}). Use --cav mean or ridge."
            ) from warning
    alpha = np.zeros(len(labels))
    # clips that are no support vectors have α = 0; dual_coef_ has the sign of the label in it
    alpha[used[machine.support_]] = np.asarray(machine.dual_coef_)[0]
    return alpha
