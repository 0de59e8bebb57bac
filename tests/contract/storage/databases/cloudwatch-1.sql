BEGIN TRANSACTION;
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account_id, region, name)
);
INSERT INTO "alarm" VALUES(1,'000000000000','us-east-1','alarm','{"MetricName": "Gr\u00fc\u00dfe", "Namespace": "App", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}','{"value": "OK", "reason": "r", "data": null, "updated_ms": 1764000000000, "transitioned_ms": 1764000000000, "configured_ms": 1764000000000}','{"t": "1"}');
CREATE TABLE alarm_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    type TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
);
INSERT INTO "alarm_history" VALUES(1,'000000000000','us-east-1','alarm',1764000000000,'ConfigurationUpdate','made','{}');
CREATE TABLE datapoint (
    metric_id INTEGER NOT NULL,
    at_s INTEGER NOT NULL,
    unit TEXT NOT NULL,
    count REAL NOT NULL,
    sum REAL NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    spread TEXT,
    PRIMARY KEY (metric_id, at_s, unit)
) WITHOUT ROWID;
INSERT INTO "datapoint" VALUES(1,1764000000,'None',4.0,7.0,1.0,2.0,'[[1.0, 1.0], [2.0, 3.0]]');
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane TEXT NOT NULL,
    ordered INTEGER NOT NULL,
    accepted_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    envelope TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE TABLE metric (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    last_s INTEGER NOT NULL,
    UNIQUE (account_id, region, namespace, name, dimensions)
);
INSERT INTO "metric" VALUES(1,'000000000000','us-east-1','App','Grüße','[["a", "1"]]',1764000000);
CREATE INDEX datapoint_age ON datapoint (at_s);
CREATE INDEX alarm_history_of ON alarm_history (account_id, region, name, id);
CREATE INDEX alarm_history_age ON alarm_history (at_ms);
CREATE INDEX delivery_in_lane ON delivery (lane, due_ms, id);
CREATE INDEX delivery_in_order ON delivery (lane, id) WHERE ordered;
CREATE INDEX delivery_due ON delivery (due_ms);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('metric',1);
INSERT INTO "sqlite_sequence" VALUES('alarm',1);
INSERT INTO "sqlite_sequence" VALUES('alarm_history',1);
COMMIT;
PRAGMA user_version = 1;
