CREATE TABLE document (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;

-- Which repository has which bytes; the bytes are files by their digests.
CREATE TABLE blob (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID;

CREATE INDEX blob_by_digest ON blob (digest);

CREATE TABLE image (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    subject TEXT,
    size INTEGER NOT NULL,
    pushed_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (repository, digest)
);

CREATE INDEX image_by_subject ON image (repository, subject) WHERE subject IS NOT NULL;

-- What an image consists of: blobs, or images where it is a list of them.
CREATE TABLE part (
    repository TEXT NOT NULL,
    image TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, digest, image)
) WITHOUT ROWID;

CREATE INDEX part_of_image ON part (repository, image);

CREATE TABLE tag (
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, name)
) WITHOUT ROWID;

CREATE INDEX tag_of_image ON tag (repository, digest);

CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    touched_ms INTEGER NOT NULL,
    size INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX upload_to ON upload (repository);

CREATE TABLE piece (
    upload TEXT NOT NULL,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (upload, start)
) WITHOUT ROWID;
