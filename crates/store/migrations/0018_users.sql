-- People who log in. `password` is the digest of what `user_passwords` keeps, so that a hash that was put in its
-- place is found, and not taken.
CREATE TABLE users (
  name TEXT PRIMARY KEY,
  id BIGINT NOT NULL UNIQUE,
  admin BIGINT NOT NULL,
  password TEXT NOT NULL,
  created BIGINT NOT NULL
) TABLE_OPTIONS;

-- Apart from the users, as events do not tell it: no rebuilding of tables may lose it.
CREATE TABLE user_passwords (
  name TEXT PRIMARY KEY,
  hash TEXT NOT NULL
) TABLE_OPTIONS;

-- Levels that users were granted by themselves. A pattern is an id or name, or '*'.
CREATE TABLE permissions (
  workspace TEXT NOT NULL,
  user_name TEXT NOT NULL,
  kind TEXT NOT NULL,
  pattern TEXT NOT NULL,
  level TEXT NOT NULL,
  PRIMARY KEY (workspace, user_name, kind, pattern)
) TABLE_OPTIONS;

CREATE TABLE custom_roles (
  id BIGINT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  UNIQUE (workspace, name)
) TABLE_OPTIONS;

CREATE TABLE custom_role_permissions (
  id BIGINT PRIMARY KEY,
  role BIGINT NOT NULL,
  kind TEXT NOT NULL,
  pattern TEXT NOT NULL,
  level TEXT NOT NULL,
  UNIQUE (role, kind, pattern)
) TABLE_OPTIONS;

CREATE TABLE custom_role_members (
  id BIGINT PRIMARY KEY,
  role BIGINT NOT NULL,
  user_name TEXT NOT NULL,
  UNIQUE (role, user_name)
) TABLE_OPTIONS;

ALTER TABLE workspaces ADD COLUMN description TEXT NOT NULL DEFAULT '';
