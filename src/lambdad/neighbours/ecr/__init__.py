"""Amazon ECR: repositories of container images, and the registry that their clients speak to.

Operations stand in `repositories`, `images`, `layers` and `registries`; `distribution` is what
`docker push` and its like talk to.
"""

from lambdad.neighbours.ecr import images as images
from lambdad.neighbours.ecr import layers as layers
from lambdad.neighbours.ecr import registries as registries
from lambdad.neighbours.ecr import repositories as repositories
from lambdad.neighbours.ecr.distribution import PublicRegistry as PublicRegistry
from lambdad.neighbours.ecr.service import ECR as ECR
from lambdad.neighbours.hosting import Neighbour

NEIGHBOUR = Neighbour(service=ECR, open=PublicRegistry.open)
