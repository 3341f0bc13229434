-- Three roles for novabatch, none of which may log in, and what each may do in this database. Run it in
-- novabatch's own database before the first `novabatch migrate`, as the one who made that database: a superuser,
-- or a role with CREATEROLE that owns it (the master user of RDS and Aurora). README.md here has every command,
-- the logins too. It takes effect as a whole or not at all; a second run changes nothing. PostgreSQL 13 or later.

\set ON_ERROR_STOP on

BEGIN;

-- Roles belong to the whole server: where there are several databases, the first run made them.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['novabatch_owner', 'novabatch_consumer', 'novabatch_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
END
$$;

-- Who is no superuser sets the privileges of another role's tables only as its member. To have made the role is
-- not enough: since PostgreSQL 16 that lets one hand it on, no more.
GRANT novabatch_owner TO CURRENT_USER;

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

-- Where the schema is somebody else's (PostgreSQL 13 and 14, or a database that was upgraded from there),
-- PostgreSQL only warns that it granted and revoked nothing.
DO $$
BEGIN
    IF NOT has_schema_privilege('novabatch_owner', 'public', 'CREATE')
        OR has_schema_privilege('novabatch_consumer', 'public', 'CREATE')
    THEN
        RAISE EXCEPTION 'schema public is not ours: nothing was granted' USING HINT = format(
            'Let its owner run: ALTER SCHEMA public OWNER TO %I; then run this file again.', CURRENT_USER);
    END IF;
END
$$;

COMMIT;
