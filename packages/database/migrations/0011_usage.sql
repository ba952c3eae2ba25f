CREATE TABLE "usage_daily" (
	"day" date NOT NULL,
	"project_id" text NOT NULL,
	"tenant_id" text NOT NULL,
	"bucket_id" text NOT NULL,
	"key_id" text NOT NULL,
	"organization_id" text NOT NULL,
	"uploads" bigint DEFAULT 0 NOT NULL,
	"bytes_in" bigint DEFAULT 0 NOT NULL,
	"stored_bytes" bigint DEFAULT 0 NOT NULL,
	"byte_seconds" double precision DEFAULT 0 NOT NULL,
	"opening_bytes" bigint DEFAULT 0 NOT NULL,
	"downloads" bigint DEFAULT 0 NOT NULL,
	"bytes_out" bigint DEFAULT 0 NOT NULL,
	"transforms" bigint DEFAULT 0 NOT NULL,
	"transform_ms" bigint DEFAULT 0 NOT NULL,
	"api_calls" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_daily_project_id_day_tenant_id_bucket_id_key_id_pk" PRIMARY KEY("project_id","day","tenant_id","bucket_id","key_id")
);
--> statement-breakpoint
CREATE TABLE "usage_flushes" (
	"instance" text PRIMARY KEY NOT NULL,
	"sequence" integer NOT NULL,
	"flushed_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_ledger" (
	"day" date NOT NULL,
	"project_id" text NOT NULL,
	"tenant_id" text NOT NULL,
	"bucket_id" text NOT NULL,
	"key_id" text NOT NULL,
	"uploads" bigint DEFAULT 0 NOT NULL,
	"bytes_in" bigint DEFAULT 0 NOT NULL,
	"stored_bytes" bigint DEFAULT 0 NOT NULL,
	"byte_seconds" double precision DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_prices" (
	"organization_id" text NOT NULL,
	"month" text NOT NULL,
	"currency" text,
	"prices" jsonb NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "usage_prices_organization_id_month_pk" PRIMARY KEY("organization_id","month")
);
--> statement-breakpoint
CREATE TABLE "usage_state" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"opened_day" date NOT NULL,
	CONSTRAINT "usage_state_only" CHECK ("usage_state"."only")
);
--> statement-breakpoint
CREATE TABLE "usage_stored" (
	"project_id" text NOT NULL,
	"tenant_id" text NOT NULL,
	"bucket_id" text NOT NULL,
	"key_id" text NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_stored_project_id_tenant_id_bucket_id_key_id_pk" PRIMARY KEY("project_id","tenant_id","bucket_id","key_id")
);
--> statement-breakpoint
ALTER TABLE "quota_counters" ADD COLUMN "told" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "quota_counters" ADD COLUMN "told_in" text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX "usage_daily_organization" ON "usage_daily" USING btree ("organization_id","day","project_id","tenant_id","bucket_id","key_id");--> statement-breakpoint
CREATE INDEX "usage_daily_day" ON "usage_daily" USING btree ("day");--> statement-breakpoint
ALTER TABLE "quota_counters" ADD COLUMN "told_limit" bigint;--> statement-breakpoint
INSERT INTO usage_state (opened_day) VALUES ((now() AT TIME ZONE 'utc')::date);
--> statement-breakpoint
-- What is stored counts from now on.
INSERT INTO usage_ledger (day, project_id, tenant_id, bucket_id, key_id, stored_bytes, byte_seconds)
SELECT (now() AT TIME ZONE 'utc')::date, f.project_id, f.tenant_id, o.bucket_id,
  CASE WHEN starts_with(v.created_by, 'key_') THEN v.created_by ELSE '' END, sum(o.size),
  sum(o.size) * (86400 - extract(epoch FROM (now() AT TIME ZONE 'utc')::time))
FROM file_versions v JOIN files f ON f.id = v.file_id JOIN objects o ON o.id = v.object_id
GROUP BY 2, 3, 4, 5;
--> statement-breakpoint
-- Tells once a month, for each limit, that 80, 90 and 100 percent of it are used; in the transaction that has changed the counter.
-- `at_least` 100: somebody was refused, which tells that a quota is used up whose last tenth is too small for what comes.
CREATE FUNCTION quota_warn(scope text, of_metric text, of_period text, at_least integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  counter quota_counters;
  place record;
  month text;
  quota bigint;
  before integer;
  reached integer;
  step integer;
  event_position bigint;
BEGIN
  SELECT * INTO counter FROM quota_counters WHERE scope_id = scope AND metric = of_metric AND period = of_period FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO place FROM (
    SELECT 'organization' AS kind, o.id AS organization_id, NULL AS project_id, NULL AS tenant_id, coalesce(n.quotas, '{}') || o.quotas AS quotas
      FROM organizations o LEFT JOIN plans n ON n.name = o.plan WHERE o.id = scope
    UNION ALL SELECT 'project', p.organization_id, p.id, NULL, p.quotas FROM projects p WHERE p.id = scope
    UNION ALL SELECT 'tenant', p.organization_id, p.id, t.id, t.quotas FROM tenants t JOIN projects p ON p.id = t.project_id WHERE t.id = scope
  ) found LIMIT 1;
  quota := (place.quotas->>of_metric)::bigint;
  IF quota IS NULL THEN RETURN; END IF;
  reached := CASE
    WHEN counter.used = 0 AND at_least = 0 THEN 0
    WHEN counter.used >= quota THEN 100
    WHEN counter.used * 10 >= quota * 9 THEN greatest(90, at_least)
    WHEN counter.used * 10 >= quota * 8 THEN 80
    ELSE 0 END;
  month := CASE WHEN of_period = '' THEN to_char(now() AT TIME ZONE 'utc', 'YYYY-MM') ELSE of_period END;
  before := CASE WHEN counter.told_in = month AND counter.told_limit = quota THEN counter.told ELSE 0 END;
  IF reached <= before THEN RETURN; END IF;
  UPDATE quota_counters SET told = reached, told_in = month, told_limit = quota
  WHERE scope_id = scope AND metric = of_metric AND period = of_period;
  FOREACH step IN ARRAY ARRAY[80, 90, 100] LOOP
    CONTINUE WHEN step <= before OR step > reached;
    INSERT INTO events (id, type, organization_id, project_id, tenant_id, resource_id, data, created_at)
    VALUES (carcosa_id('evt', now()), CASE step WHEN 100 THEN 'quota.exceeded' ELSE 'quota.warning' END, place.organization_id, place.project_id,
      place.tenant_id, scope, jsonb_build_object('id', scope, 'scope', place.kind, 'metric', of_metric, 'threshold', step, 'limit', quota,
        'used', counter.used, 'month', month, 'organizationId', place.organization_id, 'projectId', place.project_id, 'tenantId', place.tenant_id,
        'actor', jsonb_build_object('type', 'system', 'id', NULL)), now())
    RETURNING position INTO event_position;
    IF EXISTS (SELECT FROM webhooks WHERE enabled) THEN
      INSERT INTO event_queue (position) VALUES (event_position);
      PERFORM pg_notify('carcosa_webhooks', '{}');
    END IF;
  END LOOP;
END $$;
--> statement-breakpoint
CREATE FUNCTION quota_counter_grew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM quota_warn(NEW.scope_id, NEW.metric, NEW.period, 0);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER quota_counters_grew AFTER UPDATE OF used ON quota_counters FOR EACH ROW
  WHEN (NEW.used > OLD.used) EXECUTE FUNCTION quota_counter_grew();
--> statement-breakpoint
CREATE TRIGGER quota_counters_began AFTER INSERT ON quota_counters FOR EACH ROW
  WHEN (NEW.used > 0) EXECUTE FUNCTION quota_counter_grew();
