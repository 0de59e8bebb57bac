"""One frozen section per component. Every field has a default and, where it counts, a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Where lambdad listens and keeps its data.

    Attributes:
        host: address of the AWS endpoint.
        port: TCP port of the AWS endpoint; 0 lets the kernel choose.
        data_dir: everything durable lives below it.
        drain_timeout_s: how long running functions may go on after SIGTERM, in seconds.
    """

    host: str = "127.0.0.1"
    port: int = 4566
    data_dir: Path = Path(".lambdad")
    drain_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """Who must prove who they are.

    Attributes:
        mode: `open` takes callers with unknown credentials at their word, `functions` those from
            outside of a sandbox, `verify` nobody. Credentials that are known are always checked.
        access_keys: TOML file of the access keys that are known, which only lambdad's user may be
            able to read.
    """

    mode: str = "open"
    access_keys: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """How functions are confined.

    Attributes:
        backend: `auto`, or the name of one backend (`native`, `bwrap`, `process`).
        first_uid: environments run as this uid and the `max_environments` - 1 following ones.
        max_environments: how many there may be at once on this host.
        egress: whether functions may reach public addresses.
        subnet: IPv4 network of sandbox addresses, `a.b.0.0/16`.
        allow_private: destinations in private ranges that functions may reach, as
            `network:port` or `network`.
        favordynmods: whether the kernel-wide cgroup switch may be set that makes attaching a
            process to a cgroup 7-10 ms faster on cgroup v1; stays set until reboot.
        prepared: for how many sandboxes at most network, control groups and `/tmp` are kept ready;
            follows the last wave of cold starts. 0 keeps none.
    """

    backend: str = "auto"
    first_uid: int = 1_600_000
    max_environments: int = 4_096
    egress: bool = True
    subnet: str = "100.96.0.0/16"
    allow_private: tuple[str, ...] = ()
    favordynmods: bool = True
    prepared: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimesConfig:
    """Where languages are looked for beyond the usual places.

    Attributes:
        search: directories that hold installations, each with a `bin/`.
        nodejs_sdk: `node_modules` directory with `@aws-sdk/*` for Node.js functions.
        java_client: directory with the files of AWS's runtime interface client for Java; none
            takes what `lambdad runtimes install java` put into the data directory.
        fallback: a language version that this host lacks is served by the nearest one it has,
            with a warning; otherwise functions that need it are refused.
    """

    search: tuple[Path, ...] = ()
    nodejs_sdk: Path | None = None
    java_client: Path | None = None
    fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesConfig:
    """Where container images may come from.

    Attributes:
        local: directories below which `oci:` and `docker-archive:` images may lie; who calls the
            API can name files there.
        plain_http: registries, `host` or `host:port`, that are spoken to without TLS.
        docker_config: file with the logins to registries, as `docker login` writes it.
    """

    local: tuple[Path, ...] = ()
    plain_http: tuple[str, ...] = ()
    docker_config: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentConfig:
    """What is for the desk alone.

    Attributes:
        hot_reload: code may be a directory of this host, named by `S3Bucket` hot-reload and its
            path as `S3Key`; who may call the API can then show any directory to a function.
    """

    hot_reload: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneConfig:
    """How what is deployed comes into service.

    Attributes:
        transition_s: a creation stays Pending and an update InProgress for at least so long, in
            seconds; 0 ends it as soon as the version is prepared.
    """

    transition_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrlsConfig:
    """Under which addresses function URLs are announced.

    Attributes:
        scheme: what they begin with, `http`, or `https` behind a proxy that adds TLS.
        domain: what follows `<url id>.lambda-url.<region>.` in them, with a port if it needs one;
            none takes localhost and the port of the AWS endpoint.
    """

    scheme: str = "http"
    domain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneConfig:
    """How environments live.

    Attributes:
        idle_timeout_s: an environment without work is taken down after this, in seconds.
        init_timeout_s: AWS's limit of the init phase, in seconds.
        concurrency: account limit of concurrent executions.
        scaling_rate: new environments that a function gets in 10 seconds; 0 lifts the limit.
        request_rate: synchronous requests that a function takes in a second for each unit of its
            concurrency; 0 lifts the limit.
        memory_mb: memory that all environments together may have, in MiB; none takes what the host
            or the daemon's control group has, less a reserve.
        memory_overcommit: how often memory is promised: an environment that works counts with its
            memory size divided by this until more is known of it; 1 promises it once.
        stream_pace_mb: how fast a streamed response is behind its first 6 MiB, in MiB each second.
        snapshots_mb: disk that the snapshots of SnapStart may take together, in MiB; beyond it the
            one that was used longest ago is given up, and made anew when wanted. 0 makes none.
    """

    idle_timeout_s: float = 600.0
    init_timeout_s: float = 10.0
    concurrency: int = 1_000
    scaling_rate: int = 1_000
    request_rate: int = 10
    memory_mb: int | None = None
    memory_overcommit: float = 8.0
    stream_pace_mb: int = 2
    snapshots_mb: int = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class PrewarmConfig:
    """How many environments wait, started and isolated, for a function that needs one.

    Attributes:
        least: of each runtime in use; 0 keeps none between waves of cold starts.
        most: of each runtime; 0 switches it off, and the compiling of byte code ahead with it.
        in_all: of all runtimes together.
    """

    least: int = 2
    most: int = 16
    in_all: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncInvocationConfig:
    """How events of asynchronous invocations are tried again and reported.

    Attributes:
        retry_delay_s: how long a function that failed is left alone before it is tried again, in
            seconds; twice that before the second time.
        endpoint_url: AWS endpoint of the queues, topics, buses and buckets that are told of the
            outcome; none is lambdad itself.
    """

    retry_delay_s: float = 60.0
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsConfig:
    """How function logs are kept.

    Attributes:
        flush_interval_s: how long lines wait to be written together, in seconds.
        buffer_bytes: beyond this many unwritten bytes functions wait for the disk.
    """

    flush_interval_s: float = 0.2
    buffer_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """What functions do, as metrics in CloudWatch.

    Attributes:
        flush_interval_s: how long measurements wait to be written together, in seconds; alarms
            see them then.
    """

    flush_interval_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingConfig:
    """Which web servers topics and APIs may send to.

    Attributes:
        local_addresses: HTTP endpoints of subscriptions and of integrations may be addresses of
            this host; whoever may subscribe or make an API, functions among them, then has the
            daemon ask what this host serves to itself.
    """

    local_addresses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class S3EventsConfig:
    """Notifications of other object stores, at `/_lambdad/s3-events/<function>`.

    Attributes:
        token: what a store has to send as `Authorization`; none lets everybody send, and nobody
            where `auth.mode` wants proof.
    """

    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighboursConfig:
    """What serves the other AWS services behind the same port.

    Each is `builtin`, which is lambdad itself, the URL of a server that speaks the service's
    protocol, or `aws`, which is called with the daemon's own AWS credentials.

    Attributes:
        apigateway: API Gateway's REST APIs.
        apigatewayv2: API Gateway's HTTP APIs.
        cloudformation: stacks.
        cloudwatch: metrics and alarms.
        dynamodb: tables and their streams.
        ecr: registries of container images.
        events: EventBridge's buses and rules.
        kinesis: data streams.
        others: what serves all services that are not named here: `moto`, which runs in a process
            of its own and comes with `pip install 'lambdad[neighbours]'`, or `none`.
        s3: buckets, and where `Code.S3Bucket` is read from.
        scheduler: EventBridge Scheduler.
        sns: topics.
        sqs: queues.
    """

    apigateway: str = "builtin"
    apigatewayv2: str = "builtin"
    cloudformation: str = "builtin"
    cloudwatch: str = "builtin"
    dynamodb: str = "builtin"
    ecr: str = "builtin"
    events: str = "builtin"
    kinesis: str = "builtin"
    others: str = "moto"
    s3: str = "builtin"
    scheduler: str = "builtin"
    sns: str = "builtin"
    sqs: str = "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFormationConfig:
    """What stacks may have.

    Attributes:
        unknown_types: what becomes of resources whose types lambdad does not know: `fail` refuses
            the template; `warn` makes nothing of them and says so in the stack's events.
    """

    unknown_types: str = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All sections.

    Attributes:
        alb: listeners of an Application Load Balancer: by `host:port`, the ARN of the function
            behind it, and `multi-value-headers` after that if its events are to have lists of
            values. Anybody who reaches the port calls the function.
        brokers: where the brokers of an Amazon MSK cluster or an Amazon MQ broker are, by its ARN:
            `host:port,host:port` for Kafka, `amqp://host:port` or `amqps://host:port` for RabbitMQ.
            By `host:port`, how a self-managed Kafka broker is spoken to. One of Kafka's protocols
            may stand before its addresses, as in `SASL_PLAINTEXT://host:port`; without one, logins
            go over TLS, but for brokers on this host.
        filesystems: directory of this host by ARN of an access point; what functions with that ARN
            in their FileSystemConfigs mount, and may write.
    """

    server: ServerConfig = field(default_factory=ServerConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    runtimes: RuntimesConfig = field(default_factory=RuntimesConfig)
    images: ImagesConfig = field(default_factory=ImagesConfig)
    development: DevelopmentConfig = field(default_factory=DevelopmentConfig)
    controlplane: ControlPlaneConfig = field(default_factory=ControlPlaneConfig)
    function_urls: FunctionUrlsConfig = field(default_factory=FunctionUrlsConfig)
    dataplane: DataPlaneConfig = field(default_factory=DataPlaneConfig)
    prewarm: PrewarmConfig = field(default_factory=PrewarmConfig)
    async_invocation: AsyncInvocationConfig = field(default_factory=AsyncInvocationConfig)
    logs: LogsConfig = field(default_factory=LogsConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    outgoing: OutgoingConfig = field(default_factory=OutgoingConfig)
    s3_events: S3EventsConfig = field(default_factory=S3EventsConfig)
    neighbours: NeighboursConfig = field(default_factory=NeighboursConfig)
    cloudformation: CloudFormationConfig = field(default_factory=CloudFormationConfig)
    alb: Mapping[str, str] = field(default_factory=dict)
    brokers: Mapping[str, str] = field(default_factory=dict)
    filesystems: Mapping[str, Path] = field(default_factory=dict)
