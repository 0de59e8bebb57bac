BEGIN TRANSACTION;
CREATE TABLE function (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    revision TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account_id, region, name, version)
);
INSERT INTO "function" VALUES('000000000000','us-east-1','hello','$LATEST','r1','{"key":{"account_id":"000000000000","region":"us-east-1","name":"hello"},"version":"$LATEST","runtime":"python3.12","handler":"app.handler","role":"arn:aws:iam::000000000000:role/r","code":{"sha256":"x=","size_bytes":1,"digest":"0000000000000000000000000000000000000000000000000000000000000000"},"description":"","timeout_s":3,"memory_mb":128,"ephemeral_storage_mb":512,"environment":{"GREETING":"Grüße"},"architectures":["x86_64"],"layers":["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],"tracing_mode":"PassThrough","logging":{"log_group":"/aws/lambda/f","log_format":"Text","application_log_level":null,"system_log_level":null},"status":{"state":"Active","state_reason":null,"state_reason_code":null,"last_update":"Successful","last_update_reason":null,"last_update_reason_code":null},"revision_id":"r1","last_modified":"2025-11-24T22:54:31.123+0000","echoed":{"VpcConfig":{"SubnetIds":["subnet-1"]}},"tags":{"team":"x"}}');
INSERT INTO "function" VALUES('000000000000','us-east-1','hello','1','r1','{"key":{"account_id":"000000000000","region":"us-east-1","name":"hello"},"version":"1","runtime":"python3.12","handler":"app.handler","role":"arn:aws:iam::000000000000:role/r","code":{"sha256":"x=","size_bytes":1,"digest":"0000000000000000000000000000000000000000000000000000000000000000"},"description":"","timeout_s":3,"memory_mb":128,"ephemeral_storage_mb":512,"environment":null,"architectures":["x86_64"],"layers":[],"tracing_mode":"PassThrough","logging":{"log_group":"/aws/lambda/f","log_format":"Text","application_log_level":null,"system_log_level":null},"status":{"state":"Active","state_reason":null,"state_reason_code":null,"last_update":"Successful","last_update_reason":null,"last_update_reason_code":null},"revision_id":"r1","last_modified":"2025-11-24T22:54:31.123+0000","echoed":{},"tags":{}}');
CREATE TABLE resource (
    kind TEXT NOT NULL,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    function TEXT,
    revision TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, account_id, region, name)
);
INSERT INTO "resource" VALUES('alias','000000000000','us-east-1','hello:live','hello','a1','{"description":"Gr\u00fc\u00dfe","version":"1","weights":{"2":0.25}}');
INSERT INTO "resource" VALUES('layer-version','000000000000','us-east-1','l:1',NULL,'l1','{"licence":null}');
CREATE INDEX resource_by_function ON resource (account_id, region, function);
COMMIT;
PRAGMA user_version = 2;
