-- Seals in a table of their own: to seal an entry in its own row wrote the row, and its place in each of nine indexes, once more.
CREATE TABLE "audit_seals" (
	"entry_id" bigint PRIMARY KEY NOT NULL,
	"organization_id" text NOT NULL,
	"sequence" bigint NOT NULL,
	"hash" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_unsealed" (
	"entry_id" bigint PRIMARY KEY NOT NULL
);
--> statement-breakpoint
INSERT INTO "audit_seals" SELECT "id", "organization_id", "sequence", "hash" FROM "audit_entries" WHERE "sequence" IS NOT NULL;--> statement-breakpoint
INSERT INTO "audit_unsealed" SELECT "id" FROM "audit_entries" WHERE "sequence" IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "audit_seals_chain" ON "audit_seals" USING btree ("organization_id","sequence");--> statement-breakpoint
DROP INDEX "audit_entries_unsealed";--> statement-breakpoint
DROP INDEX "audit_entries_chain";--> statement-breakpoint
DROP TRIGGER "audit_entries_append_only" ON "audit_entries";--> statement-breakpoint
DROP TRIGGER "audit_entries_no_truncate" ON "audit_entries";--> statement-breakpoint
DROP FUNCTION "audit_entries_append_only"();--> statement-breakpoint
ALTER TABLE "audit_entries" DROP COLUMN "sequence";--> statement-breakpoint
ALTER TABLE "audit_entries" DROP COLUMN "hash";--> statement-breakpoint
CREATE FUNCTION "audit_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('carcosa.audit_retention', true) = 'on' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;--> statement-breakpoint
CREATE TRIGGER "audit_entries_append_only" BEFORE UPDATE OR DELETE ON "audit_entries"
  FOR EACH ROW EXECUTE FUNCTION "audit_append_only"();--> statement-breakpoint
CREATE TRIGGER "audit_entries_no_truncate" BEFORE TRUNCATE ON "audit_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "audit_append_only"();--> statement-breakpoint
CREATE TRIGGER "audit_seals_append_only" BEFORE UPDATE OR DELETE ON "audit_seals"
  FOR EACH ROW EXECUTE FUNCTION "audit_append_only"();--> statement-breakpoint
CREATE TRIGGER "audit_seals_no_truncate" BEFORE TRUNCATE ON "audit_seals"
  FOR EACH STATEMENT EXECUTE FUNCTION "audit_append_only"();--> statement-breakpoint
-- The object of a file stands in the same project, is held by the file's reference to it, and refers to the project itself.
ALTER TABLE "files" DROP CONSTRAINT "files_project_id_projects_id_fk";
