DROP INDEX "files_path";--> statement-breakpoint
DROP INDEX "files_name_search";--> statement-breakpoint
ALTER TABLE "files" ALTER COLUMN "content_type" SET DATA TYPE text collate "C";--> statement-breakpoint
CREATE INDEX "files_type" ON "files" USING btree ("project_id","content_type","created_at","id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "files_uploader" ON "files" USING btree ("project_id","uploaded_by","created_at","id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "files_trash_created" ON "files" USING btree ("project_id","created_at","id") WHERE deleted_at is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "files_path" ON "files" USING btree ("project_id","path","tenant_id") INCLUDE ("size") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "files_name_search" ON "files" USING gin (lower(name collate "default") gin_trgm_ops);--> statement-breakpoint
-- With fewer samples (the default is 100) the planner guesses how many names match, far too many.
ALTER INDEX "files_name_search" ALTER COLUMN 1 SET STATISTICS 200;