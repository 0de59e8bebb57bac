"""The composition root: the only place that makes components and connects them."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lambdad import __version__
from lambdad.api import lambda_, logs, sts
from lambdad.api.app import App
from lambdad.api.context import Services
from lambdad.api.prepared import PreparedInvocations
from lambdad.config.sections import Config
from lambdad.config.service import variables
from lambdad.controlplane.attachments import Attachments
from lambdad.controlplane.functions import Functions
from lambdad.controlplane.ports import ObjectSource
from lambdad.dataplane.bytecode import ByteCode
from lambdad.dataplane.capacity import HostCapacity
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.invoker import Invoker
from lambdad.dataplane.prewarm.pool import PrewarmPool
from lambdad.domain.clock import Clock
from lambdad.domain.environments import RUNTIME_API_PORT
from lambdad.images.store import ImageStore
from lambdad.neighbours.front import Neighbours
from lambdad.neighbours.images import OwnImages
from lambdad.neighbours.objects import OwnObjects, S3Objects
from lambdad.neighbours.pushing import FunctionTargets
from lambdad.observability.logs import LogWriter
from lambdad.observability.retention import LogRetention
from lambdad.runtimes.catalogue import Catalogue
from lambdad.sandbox.base import GuardState, Listener, SandboxBackend
from lambdad.sandbox.registry import choose
from lambdad.server import auth_wiring, front_doors, neighbours_wiring
from lambdad.server.announcements import weaknesses
from lambdad.server.async_wiring import AsyncParts, connect
from lambdad.server.auth_wiring import AuthParts
from lambdad.server.capacity import host_capacity
from lambdad.server.housekeeping import collect_packages
from lambdad.server.image_wiring import ImagePreparer, PulledImages
from lambdad.server.listeners import Listeners, bind
from lambdad.server.mapping_wiring import EventSources
from lambdad.server.metric_wiring import MetricPublisher
from lambdad.server.object_webhook import ObjectWebhook
from lambdad.server.runtime_page import RuntimePage
from lambdad.server.site import Site
from lambdad.server.subscriptions_wiring import Subscriptions
from lambdad.server.tasks import Tasks
from lambdad.server.version_preparation import Preparations, SnapshotPreparer
from lambdad.storage.base import Engine
from lambdad.storage.data_dir import private_directory
from lambdad.storage.keys import lasting_key
from lambdad.storage.packages import FilePackageStore
from lambdad.storage.registry import engine

_OFFERED = (lambda_.LAMBDA, logs.LOGS, sts.STS)


class Daemon:
    """All components of one daemon, from :meth:`open` to :meth:`close`.

    Mutable: what :meth:`open` makes, in the order in which it is made.
    """

    def __init__(self, config: Config, clock: Clock, tasks: Tasks) -> None:
        self._config = config
        self._clock = clock
        self._tasks = tasks
        self._stack = AsyncExitStack()
        self._begun = clock.monotonic()
        self.endpoint_url = ""
        self.warnings: Sequence[str] = ()
        self._backend: SandboxBackend
        self._invoker: Invoker
        self._async: AsyncParts
        self._auth: AuthParts
        self._images: ImageStore
        self._neighbours: Neighbours
        self._sources: EventSources
        self._listeners: Listeners

    @property
    def backend_name(self) -> str:
        """Of the sandbox backend in use."""
        return self._backend.name

    @property
    def isolated(self) -> bool:
        """Whether functions are confined at all."""
        return any(guard.state is not GuardState.ABSENT for guard in self._backend.guards())

    @property
    def running(self) -> int:
        """Invocations in hand."""
        return self._invoker.counts()["busy"]

    async def open(self) -> None:
        """Make everything and begin to serve.

        Raises:
            HostUnfit: the data directory or the backend cannot be used.
            OSError: the address cannot be listened on.
        """
        config = self._config
        data_dir = private_directory(config.server.data_dir)
        store = engine("sqlite")(data_dir, self._clock)
        await store.open()
        self._stack.push_async_callback(store.close)
        # What was loaded stays. To look through it for garbage, time and again, stops the event
        # loop for 0.4 s when there are 10,000 functions of 5 versions with 50,000 resources.
        gc.freeze()
        listener = bind(config.server.host, config.server.port)
        self._stack.callback(listener.close)
        host, port = listener.getsockname()[:2]
        self.endpoint_url = f"http://{host}:{port}"
        self._auth = auth_wiring.connect(config.auth, data_dir, self._clock)
        self._backend, notes = await choose(config.sandbox, data_dir / "sandbox", self._clock)
        self._stack.push_async_callback(self._backend.close)
        self.warnings = (*notes, *weaknesses(self._backend))
        services, packages = await self._planes(store, data_dir, port)
        await self._listen(self._site(services, packages), listener, data_dir)
        self._begin(services, store)

    def _site(self, services: Services, packages: FilePackageStore) -> Site:
        doors = front_doors.connect(
            self._neighbours,
            services.attachments,
            invoker=self._invoker,
            permissions=services.functions.permissions,
            events=services.events,
            authenticator=self._auth.authenticator,
            clock=self._clock,
            endpoint_url=self.endpoint_url,
            outgoing=self._config.outgoing,
            spawn=self._tasks.spawn,
        )
        self._stack.callback(doors.close)
        return Site(
            App(
                offered=_OFFERED,
                services=services,
                elsewhere=self._neighbours,
                authenticator=self._auth.authenticator,
            ),
            front_doors=doors,
            health=self.health,
            packages=packages,
            queue=self._async.pages,
            activity=self._sources.pages,
            objects=ObjectWebhook(self._targets, self._config.s3_events.token),
            runtimes=RuntimePage(self._catalogue, lambda: self._prewarm.enabled),
            code_location_key=services.code_location_key,
            authenticator=self._auth.authenticator,
            clock=self._clock,
        )

    async def _listen(self, site: Site, listener: socket.socket, data_dir: Path) -> None:
        receive = neighbours_wiring.object_uploads(self._config.neighbours, data_dir)
        self._stack.callback(receive.close)
        self._listeners = Listeners(site, self._tasks.spawn, receive)
        self._stack.callback(self._listeners.close)
        self._invoker.resume()
        await self._listeners.open(listener)
        await front_doors.listen(self._config.alb, self._listeners, self._invoker, self._clock)

    def _begin(self, services: Services, store: Engine) -> None:
        """Begin what is done without being called."""
        self._sources.neighbours = self._neighbours.parts
        self._sources.begin(services.attachments.event_source_mappings, self._async.dispatcher)
        self._tasks.spawn(self._async.dispatcher.run())
        self._tasks.spawn(self._invoker.run_reaper())
        self._tasks.spawn(self._invoker.capacity.watch(self._invoker))
        self._tasks.spawn(self._neighbours.start())
        self._subscriptions.shipping.start()
        publisher = MetricPublisher(
            self._config.metrics, self._invoker, self._subscriptions.metrics, self._neighbours
        )
        publisher.begin(self._tasks.spawn, self._stack)
        self._tasks.spawn(
            collect_packages(services.functions, self._invoker, self._images, store.functions)
        )

    async def _planes(
        self, store: Engine, data_dir: Path, port: int
    ) -> tuple[Services, FilePackageStore]:
        packages = FilePackageStore(data_dir / "code")
        own_images = OwnImages(lambda: self._neighbours.parts("ecr"), port)
        self._images = ImageStore(data_dir / "images", self._config.images, own_images)
        self._data_plane(store, data_dir, packages, port)
        functions, attachments = await self._control_plane(store, packages)
        self._async = connect(
            store,
            self._invoker,
            self._clock,
            self._config,
            endpoint_url=self.endpoint_url,
            own_key=self._auth.authenticator.daemon_key,
        )
        self._stack.callback(self._async.courier.close)
        self._connect_neighbours(store, data_dir, functions)
        urls = self._config.function_urls
        services = Services(
            functions=functions,
            attachments=attachments,
            invoker=self._invoker,
            events=self._async.invocations,
            log_store=store.logs,
            log_filters=self._subscriptions.filters,
            subscriptions=self._subscriptions.shipping,
            clock=self._clock,
            sessions=self._auth.sessions,
            code_location_key=lasting_key(data_dir / "code-location.key"),
            prepared=PreparedInvocations(store.functions),
            function_url_scheme=urls.scheme,
            function_url_domain=urls.domain or f"localhost:{port}",
        )
        return services, packages

    def _data_plane(
        self, store: Engine, data_dir: Path, packages: FilePackageStore, port: int
    ) -> None:
        config = self._config
        logs = LogWriter(store.logs, self._clock, config.logs)
        self._tasks.spawn(logs.run())
        self._tasks.spawn(LogRetention(store.logs, self._clock).run())
        self._stack.push_async_callback(logs.close)
        self._catalogue = catalogue = Catalogue(
            config.runtimes,
            data_dir / "runtimes",
            variables=variables(),
            pulled=PulledImages(self._images) if self._backend.roots else None,
        )
        self._stack.push_async_callback(asyncio.to_thread, catalogue.close)
        self._tasks.spawn(asyncio.to_thread(catalogue.prepare))
        capacity = host_capacity(config, self._clock)
        host = self._environment_host(catalogue, packages, logs, port, capacity)
        self._invoker = Invoker(
            store.functions, store.resources, host, config.dataplane, capacity=capacity
        )

    async def _control_plane(
        self, store: Engine, packages: FilePackageStore
    ) -> tuple[Functions, Attachments]:
        config = self._config
        functions = await self._stack.enter_async_context(
            Functions(
                engine=store,
                packages=packages,
                runtimes=self._catalogue,
                clock=self._clock,
                observer=self._invoker,
                objects=self._objects(config.neighbours.s3),
                images=self._images,
                hot_reload=config.development.hot_reload,
                preparer=Preparations(
                    [ImagePreparer(self._images), SnapshotPreparer(self._invoker.snapshots)]
                ),
                transition_s=config.controlplane.transition_s,
            )
        )
        self._sources = EventSources(
            store,
            self._invoker,
            self._clock,
            endpoint_url=self.endpoint_url,
            access_key=self._auth.authenticator.daemon_key,
            brokers=config.brokers,
            spawn=self._tasks.spawn,
        )
        attachments = await self._stack.enter_async_context(
            Attachments(
                store,
                locks=functions.locks,
                clock=self._clock,
                concurrency=self._invoker,
                account_concurrency=config.dataplane.concurrency,
                pollers=self._sources.pollers,
            )
        )
        return functions, attachments

    def _connect_neighbours(self, store: Engine, data_dir: Path, functions: Functions) -> None:
        notes = self._invoker.metrics.activity
        self._targets = FunctionTargets(functions, self._async.invocations, notes)
        self._neighbours = neighbours_wiring.connect(
            self._config.neighbours,
            [service.model for service in _OFFERED],
            store,
            data_dir=data_dir,
            clock=self._clock,
            spawn=self._tasks.spawn,
            functions=self._targets,
            endpoint_url=self.endpoint_url,
            access_key=self._auth.authenticator.daemon_key,
            stacks=self._config.cloudformation,
            outgoing=self._config.outgoing,
        )
        self._stack.push_async_callback(self._neighbours.close)
        self._subscriptions = Subscriptions(
            store,
            self._targets,
            self._clock,
            spawn=self._tasks.spawn,
            endpoint_url=self.endpoint_url,
            access_key=self._auth.authenticator.daemon_key,
        )
        self._stack.callback(self._subscriptions.close)

    def _environment_host(
        self,
        catalogue: Catalogue,
        packages: FilePackageStore,
        logs: LogWriter,
        port: int,
        capacity: HostCapacity,
    ) -> EnvironmentHost:
        self._prewarm = capacity.spares = PrewarmPool(
            self._backend,
            self._config.prewarm,
            self._clock,
            self._tasks.spawn,
            capacity=capacity,
            ports=(RUNTIME_API_PORT, port),
            egress=self._config.sandbox.egress,
        )
        self._stack.push_async_callback(self._prewarm.close)
        return EnvironmentHost(
            backend=self._backend,
            runtimes=catalogue,
            packages=packages,
            logs=logs,
            clock=self._clock,
            config=self._config.dataplane,
            spawn_task=self._tasks.spawn,
            serve_endpoint=self._serve_guest,
            endpoint_port=port,
            egress=self._config.sandbox.egress,
            filesystems=self._config.filesystems,
            hot_reload=self._config.development.hot_reload,
            images=self._images,
            credentials=self._auth.role_credentials,
            prewarm=self._prewarm,
            snapshot_directory=private_directory(self._config.server.data_dir / "snapshots"),
            byte_code=ByteCode(self._backend, packages, capacity, self._clock, self._tasks.spawn)
            if self._prewarm.enabled
            else None,
        )

    async def close(self) -> None:
        """Finish what runs, within the drain timeout, then undo :meth:`open`."""
        if hasattr(self, "_listeners"):
            deadline = self._clock.monotonic() + self._config.server.drain_timeout_s
            # While the endpoint still answers: what was taken from a source is told to it.
            await self._sources.drain(self._config.server.drain_timeout_s)
            self._listeners.drain()
            self._neighbours.drain()
            await self._async.dispatcher.drain(max(0.0, deadline - self._clock.monotonic()))
            await self._invoker.drain(max(0.0, deadline - self._clock.monotonic()))
        await self._stack.aclose()

    def _objects(self, s3: str) -> ObjectSource:
        if s3 != neighbours_wiring.BUILTIN:
            return S3Objects(s3)
        return OwnObjects(lambda: self._neighbours.parts("s3"))

    async def _serve_guest(self, listener: Listener) -> Callable[[], None]:
        return await self._listeners.serve_guest(listener)

    async def health(self) -> Mapping[str, Any]:
        """The document of `/_lambdad/health`."""
        return {
            "status": "ok",
            "version": __version__,
            "uptime_s": round(self._clock.monotonic() - self._begun, 3),
            "pid": os.getpid(),
            "backend": self._backend.name,
            "guards": [
                {
                    "name": guard.name,
                    "state": guard.state.value,
                    "stops": guard.stops,
                    "detail": guard.detail,
                    "remedy": guard.remedy,
                }
                for guard in self._backend.guards()
            ],
            "environments": self._invoker.counts(),
            "capacity": self._invoker.capacity.report(),
            "prewarmed": self._prewarm.counts(),
            "snapshots": self._invoker.snapshots.report(),
            "neighbours": await self._neighbours.report(),
        }
