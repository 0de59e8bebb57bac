"""Amazon S3: buckets and objects, durable.

Operations stand in modules by resource; `bodies` decides where bytes are, `events` and `outbox` who
is told of a change, `*_rows` are the jobs on the database.
"""

from lambdad.neighbours.hosting import Neighbour
from lambdad.neighbours.s3 import buckets as buckets
from lambdad.neighbours.s3 import copying as copying
from lambdad.neighbours.s3 import listing as listing
from lambdad.neighbours.s3 import multipart as multipart
from lambdad.neighbours.s3 import notifications as notifications
from lambdad.neighbours.s3 import object_details as object_details
from lambdad.neighbours.s3 import objects as objects
from lambdad.neighbours.s3 import settings as settings
from lambdad.neighbours.s3 import unfinished as unfinished
from lambdad.neighbours.s3.parts import Buckets as Buckets
from lambdad.neighbours.s3.service import S3 as S3
from lambdad.neighbours.s3.site import handle

# Eager: notifications go out after a restart, and lifecycles are followed.
NEIGHBOUR = Neighbour(service=S3, open=Buckets.open, eager=True, handle=handle)
