-- Three roles for novabatch's own database, none of which may log in. Run once as its administrator, before
-- the first `novabatch migrate`:  psql "$ADMIN_URL" --file deploy/postgresql/roles.sql
-- Then make a login for each who needs one, with a password of your own making:
--   CREATE ROLE novabatch_deploy LOGIN PASSWORD '…' IN ROLE novabatch_owner;     -- novabatch migrate
--   ALTER ROLE novabatch_deploy SET ROLE novabatch_owner;                        -- so that it owns what it makes
--   CREATE ROLE novabatch_app LOGIN PASSWORD '…' IN ROLE novabatch_consumer;     -- run, and the verbs that act
--   CREATE ROLE novabatch_look LOGIN PASSWORD '…' IN ROLE novabatch_reader;      -- status, show, results, audit

CREATE ROLE novabatch_owner NOLOGIN;
CREATE ROLE novabatch_consumer NOLOGIN;
CREATE ROLE novabatch_reader NOLOGIN;

-- Only the owner makes tables; nobody else has a say in this schema.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO novabatch_owner;
GRANT USAGE ON SCHEMA public TO novabatch_consumer, novabatch_reader;

-- Consumers work with rows and never with tables. That the audit only grows is held by its triggers, which
-- only the owner could drop.
ALTER DEFAULT PRIVILEGES FOR ROLE novabatch_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO novabatch_consumer;
ALTER DEFAULT PRIVILEGES FOR ROLE novabatch_owner IN SCHEMA public
    GRANT USAGE ON SEQUENCES TO novabatch_consumer;

ALTER DEFAULT PRIVILEGES FOR ROLE novabatch_owner IN SCHEMA public
    GRANT SELECT ON TABLES TO novabatch_reader;
