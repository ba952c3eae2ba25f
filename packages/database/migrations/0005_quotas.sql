-- What is counted follows from the rows themselves, whichever statement writes them: a quota must not depend on every door to remember
-- it. Only scopes that have a quota in force have counters; without any, each trigger ends with one look at an empty table.

-- Locks the counters that uploads and files change, always in one order, so that two transactions do not wait for each other.
CREATE FUNCTION quota_hold(scopes text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM quota_counters WHERE scope_id = ANY (scopes) AND metric IN ('bytes', 'files', 'uploadBytes')
    ORDER BY scope_id, metric, period FOR UPDATE;
END $$;
--> statement-breakpoint
CREATE FUNCTION quota_count_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM quota_counters) THEN RETURN NULL; END IF;
  PERFORM quota_hold(array(
    SELECT p.organization_id FROM projects p WHERE p.id IN (SELECT project_id FROM added)
    UNION SELECT project_id FROM added UNION SELECT tenant_id FROM added));
  UPDATE quota_counters c SET used = c.used + d.amount
  FROM (
    SELECT s.scope_id, count(*) AS amount FROM added f JOIN projects p ON p.id = f.project_id
    CROSS JOIN LATERAL (VALUES (p.organization_id), (p.id), (f.tenant_id)) s (scope_id) GROUP BY s.scope_id
  ) d
  WHERE c.scope_id = d.scope_id AND c.metric = 'files' AND c.period = '';
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER files_quota AFTER INSERT ON files REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION quota_count_files();
--> statement-breakpoint
CREATE FUNCTION quota_count_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM quota_counters) THEN RETURN NULL; END IF;
  PERFORM quota_hold(array(
    SELECT DISTINCT s.scope_id FROM added v JOIN files f ON f.id = v.file_id JOIN projects p ON p.id = f.project_id
    CROSS JOIN LATERAL (VALUES (p.organization_id), (p.id), (f.tenant_id)) s (scope_id)));
  UPDATE quota_counters c SET used = c.used + d.amount
  FROM (
    SELECT s.scope_id, sum(o.size)::bigint AS amount
    FROM added v JOIN files f ON f.id = v.file_id JOIN objects o ON o.id = v.object_id JOIN projects p ON p.id = f.project_id
    CROSS JOIN LATERAL (VALUES (p.organization_id), (p.id), (f.tenant_id)) s (scope_id) GROUP BY s.scope_id
  ) d
  WHERE c.scope_id = d.scope_id AND c.metric = 'bytes' AND c.period = '';
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER file_versions_quota AFTER INSERT ON file_versions REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION quota_count_versions();
--> statement-breakpoint
-- Gives back what an upload has reserved, when it ends in whichever way. `quota_scopes` holds what was reserved, each as
-- "scope:metric:period": one of the metric files, else the upload's size.
CREATE FUNCTION quota_settle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  completed boolean := TG_OP = 'UPDATE' AND (CASE WHEN TG_OP = 'UPDATE' THEN NEW.status END) = 'completed';
BEGIN
  PERFORM quota_hold(array(SELECT DISTINCT split_part(e, ':', 1) FROM unnest(OLD.quota_scopes) e));
  UPDATE quota_counters c SET reserved = greatest(c.reserved - d.amount, 0),
    used = c.used + CASE WHEN completed AND d.metric = 'uploadBytes' THEN d.amount ELSE 0 END
  FROM (
    SELECT split_part(e, ':', 1) AS scope_id, split_part(e, ':', 2) AS metric, split_part(e, ':', 3) AS period,
      CASE WHEN split_part(e, ':', 2) = 'files' THEN 1 ELSE OLD.size END AS amount
    FROM unnest(OLD.quota_scopes) e
  ) d
  WHERE c.scope_id = d.scope_id AND c.metric = d.metric AND c.period = d.period;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER uploads_quota_end AFTER UPDATE ON uploads FOR EACH ROW
  WHEN (OLD.quota_scopes IS NOT NULL AND OLD.status = 'open' AND (NEW.status <> 'open' OR NEW.quota_scopes IS NULL))
  EXECUTE FUNCTION quota_settle();
--> statement-breakpoint
CREATE TRIGGER uploads_quota_delete AFTER DELETE ON uploads FOR EACH ROW
  WHEN (OLD.quota_scopes IS NOT NULL AND OLD.status = 'open')
  EXECUTE FUNCTION quota_settle();
