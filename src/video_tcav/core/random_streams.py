"""Random streams: the number that gives each purpose random draws of its own, as in `default_rng([seed, FOLDS])`.

One seed a run then serves every purpose, and what one draws changes no other. Numbers stay as they are, or the results of
old runs could not be repeated. Further numbers behind a stream's own count chunks, layers or sizes, as said below.
"""

FOLDS = 2
"""Cross-validation folds of a comparison."""
LABEL_PERMUTATIONS = 3
"""Sort keys of groups and units, then the chunk of draws. All comparisons of a run share them, as max-T needs."""
GROUP_BOOTSTRAP = 4
"""Bootstrap weights of a concept or random group, then the group's number and the chunk of draws."""
CLASS_BOOTSTRAP = 5
"""Bootstrap weights of a group of class clips, then the group's number and the chunk of draws."""
RANDOM_SETS = 6
"""Random sets of Kim et al. 2018, then 1 where they stand in for the concept, else 0."""
HELD_OUT_CLIPS = 7
"""Random clips that are set aside for the gradient."""
SPLIT_HALVES = 8
"""Diagnostics: halves of the groups."""
CONCEPT_SUBSETS = 9
"""Diagnostics: subsets of the concept groups, then their size."""
POOL_HALVES = 10
"""Diagnostics: halves of the random groups."""
RENDERED_FACTORS = 10
"""Factors of rendered clips, plus 1 for those that networks are trained on. That 10 and 11 are taken twice does no harm: clips
are rendered by a seed of their own."""
PSEUDO_CONCEPTS = 11
"""Diagnostics: pseudo-concepts, for how alike unrelated CAVs are."""
SKETCH = 12
"""Signs and turns of a CountSketch, then the layer's name; then 1 for the sample of rows that it is checked on."""
RENDERED_CLASSES = 18
"""Classes of rendered clips, plus 1 for those that networks are trained on."""
NULL_CONCEPTS = 23
"""Calibration: concepts that are nothing but random clips; behind the part of the work, before the kind of CAV."""
REAL_CONCEPTS = 29
"""Calibration: draws of a factor's clips; behind the target, before their number."""
MOVED_MAPS = 31
"""Moves of attribution maps that deletion and insertion are compared with; behind the number of the move."""
DEMO_NULL_CONCEPTS = 41
"""Demo: concepts that are nothing but random clips."""
SIMULATED_DESIGNS = 43
"""Calibration: simulated data sets; then the first data set of a chunk and a checksum of the design's name."""
MORE_CLIPS = 53
"""Experiments that are simulated to say how many more clips would decide a hypothesis; without a seed before it."""
PLANTED_CONCEPTS = 67
"""Attribution table: rendered clips with and without the cause of a class; then the number of the class."""
MANIFOLD_DIRECTIONS = 59
"""Interventions: random combinations of principal components."""
COMPLETENESS_FOLDS = 71
"""Completeness: folds of the groups of clips whose value is explained."""
CONCEPT_ORDERS = 73
"""Completeness: orders of concepts for Shapley shares, where there are too many for all of them."""
CHECKED_CLIPS = 61
"""Clips that are edited to check effects: the order of groups, and of clips within them; then 1 for random clips, else 0."""
EDITED_BOOTSTRAP = 79
"""Bootstrap weights of a group of edited clips, then the group's number and the chunk of draws."""
SAMPLED_EDITS = 83
"""Agreement of effects with edits, as if the edits were a sample of all that could be made."""
STEP_CLIPS = 89
"""Groups of random clips that steps are taken at."""
TEXT_FOLDS = 113
"""Folds of the groups of clips that a map from embeddings to activations is learned from."""
BENCHMARK_ORDER = 131
"""Benchmark of concepts: order of the clips on which components are scored."""
EXCHANGED_PRESENCES = 163
"""Completeness: presences of concepts that go to other clips, to see what meaningless concepts explain."""
DISCOVERY_HALVES = 97
"""Discovery: halves of the groups, of which one finds and the other confirms."""
DISCOVERY_STABILITY = 109
"""Discovery: halves of the groups that find, whose components are matched."""
DISCOVERY_POSITIONS = 101
"""Discovery: positions of each clip that components are fitted to; then a checksum of the layer's name."""
DISCOVERY_FITS = 103
"""Discovery: seeds of the fits; then their number."""
DISCOVERY_TWINS = 107
"""Discovery: groups whose twins are passed; then 1 for random clips, else 0."""
DISCOVERY_MOVES = 173
"""Discovery: where maps go that components are taken out at elsewhere; then a checksum of the layer's name and the component."""
AUDIT_DONORS = 137
"""Audit: which clip lends its scene to which."""
AUDIT_BACKGROUNDS = 139
"""Audit: noise behind persons; the seed before it is a clip's own."""
AUDIT_STRIPES = 149
"""Audit: stripes behind persons; likewise."""
AUDIT_BOOTSTRAP = 151
"""Audit: bootstrap weights of a group of clips, then the group's number and the chunk of draws."""
HEAD_BATCHES = 167
"""Calibration of heads: which clips a network learns from in each step."""
