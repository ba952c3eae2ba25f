-- What is known of contents. Of the object and not of the file: copies and restored versions share it.
CREATE TABLE "file_facts" (
	"object_id" text PRIMARY KEY NOT NULL REFERENCES "objects"("id") ON DELETE CASCADE,
	"project_id" text NOT NULL,
	"facts" jsonb NOT NULL,
	"location" jsonb,
	"content" text,
	"width" integer,
	"height" integer,
	"orientation" text,
	"duration" double precision,
	"pages" integer,
	"color_l" real,
	"color_a" real,
	"color_b" real,
	"perceptual_hash" bit(64),
	"read_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "file_facts_duration" ON "file_facts" USING btree ("project_id","duration") WHERE duration is not null;--> statement-breakpoint
CREATE INDEX "file_facts_size" ON "file_facts" USING btree ("project_id","width","height") WHERE width is not null;--> statement-breakpoint
CREATE INDEX "file_facts_hash" ON "file_facts" USING btree ("project_id") INCLUDE ("perceptual_hash","object_id") WHERE perceptual_hash is not null;--> statement-breakpoint
CREATE INDEX "file_facts_content" ON "file_facts" USING gin (to_tsvector('simple', "content")) WHERE content is not null;--> statement-breakpoint
-- Contents that have come and that something is to be done with; a worker turns each into jobs.
CREATE TABLE "arrivals" (
	"position" bigserial PRIMARY KEY NOT NULL,
	"file_id" text NOT NULL,
	"version" integer NOT NULL,
	"object_id" text NOT NULL,
	"is_result" boolean NOT NULL
);
--> statement-breakpoint
CREATE TABLE "transform_jobs" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"project_id" text NOT NULL REFERENCES "projects"("id") ON DELETE CASCADE,
	"tenant_id" text DEFAULT '' NOT NULL,
	"file_id" text,
	"version" integer,
	"path" text,
	"origin" text NOT NULL,
	"status" text NOT NULL,
	"progress" real DEFAULT 0 NOT NULL,
	"step" text,
	"input" jsonb NOT NULL,
	"results" jsonb DEFAULT '[]' NOT NULL,
	"error" jsonb,
	"cancel_requested" boolean DEFAULT false NOT NULL,
	"runner" text,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE INDEX "transform_jobs_project" ON "transform_jobs" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "transform_jobs_file" ON "transform_jobs" USING btree ("file_id","id") WHERE file_id is not null;--> statement-breakpoint
CREATE TABLE "transform_job_items" (
	"job_id" text NOT NULL REFERENCES "transform_jobs"("id") ON DELETE CASCADE,
	"position" integer NOT NULL,
	"file_id" text NOT NULL,
	"version" integer NOT NULL,
	"path" text NOT NULL,
	"status" text NOT NULL,
	"results" jsonb DEFAULT '[]' NOT NULL,
	"error" jsonb,
	"finished_at" timestamp (3) with time zone,
	CONSTRAINT "transform_job_items_pk" PRIMARY KEY("job_id","position")
);
--> statement-breakpoint
CREATE INDEX "transform_job_items_open" ON "transform_job_items" USING btree ("job_id","position") WHERE status = 'waiting';--> statement-breakpoint
-- What files were made of.
CREATE TABLE "file_origins" (
	"file_id" text NOT NULL REFERENCES "files"("id") ON DELETE CASCADE,
	"version" integer NOT NULL,
	"source_file_id" text NOT NULL,
	"source_version" integer NOT NULL,
	"job_id" text,
	"step" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "file_origins_pk" PRIMARY KEY("file_id","version")
);
--> statement-breakpoint
CREATE INDEX "file_origins_source" ON "file_origins" USING btree ("source_file_id");
