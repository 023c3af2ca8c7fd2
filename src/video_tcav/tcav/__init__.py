"""Video-TCAV: recorded clips to effects, TCAV scores and calibrated p-values, in Gram space."""

from video_tcav.tcav.activation_store import ActivationStore, Pruned, StoredClip, StoreInfo, StoreProblem
from video_tcav.tcav.cav_files import load_cavs
from video_tcav.tcav.cavs import CAV_KINDS, CavKind, fit_cavs
from video_tcav.tcav.design import Design
from video_tcav.tcav.detail import Detail
from video_tcav.tcav.diagnostics import Diagnostics, diagnose, layouts_of
from video_tcav.tcav.effects import clip_effects, effects, tcav_magnitude, tcav_score
from video_tcav.tcav.gate import CavGate, cav_gates
from video_tcav.tcav.gram import Gram, gram
from video_tcav.tcav.learn import learn_cavs
from video_tcav.tcav.power import groups_needed
from video_tcav.tcav.result import ConceptResult, TcavResult
from video_tcav.tcav.run import run_tcav
from video_tcav.tcav.saved_cavs import ClipScore, SavedCav, score_clips
from video_tcav.tcav.significance import adjust, permutation_null, permutation_p
from video_tcav.tcav.words import effect_text, sentences

__all__ = [
    "CAV_KINDS",
    "ActivationStore",
    "CavGate",
    "CavKind",
    "ClipScore",
    "ConceptResult",
    "Design",
    "Detail",
    "Diagnostics",
    "Gram",
    "Pruned",
    "SavedCav",
    "StoreInfo",
    "StoreProblem",
    "StoredClip",
    "TcavResult",
    "adjust",
    "cav_gates",
    "clip_effects",
    "diagnose",
    "effect_text",
    "effects",
    "fit_cavs",
    "gram",
    "groups_needed",
    "layouts_of",
    "learn_cavs",
    "load_cavs",
    "permutation_null",
    "permutation_p",
    "run_tcav",
    "score_clips",
    "sentences",
    "tcav_magnitude",
    "tcav_score",
]
