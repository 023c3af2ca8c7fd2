from .attribution import AttributionScore as AttributionScore
from .attribution import AttributionScores as AttributionScores
from .attribution import benchmark_attribution as benchmark_attribution
from .concepts import ConceptScore as ConceptScore
from .concepts import ConceptScores as ConceptScores
from .concepts import benchmark_concepts as benchmark_concepts
from .contract import AttributionFunction as AttributionFunction
from .contract import ConceptFunction as ConceptFunction
