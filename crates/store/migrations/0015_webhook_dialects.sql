-- Webhooks in MLflow's dialect beside those in our own. `kinds` lists of what a webhook is told, in the words of its
-- dialect; an empty secret is none.
ALTER TABLE webhooks ADD COLUMN dialect TEXT NOT NULL DEFAULT 'native';
ALTER TABLE webhooks ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE webhooks ADD COLUMN active BIGINT NOT NULL DEFAULT 1;
ALTER TABLE webhooks ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN updated BIGINT NOT NULL DEFAULT 0;
UPDATE webhooks SET created = COALESCE((SELECT MIN(at) FROM events WHERE subject = 'webhook:' || webhooks.id), 0);
UPDATE webhooks SET updated = created;
