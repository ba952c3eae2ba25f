CREATE TABLE "callbacks" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text NOT NULL,
	"upload_id" text NOT NULL,
	"file_key" text collate "C" NOT NULL,
	"hook" text NOT NULL,
	"url" text NOT NULL,
	"payload" text NOT NULL,
	"api_key_id" text NOT NULL,
	"is_dev" boolean NOT NULL,
	"state" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_at" timestamp (3) with time zone NOT NULL,
	"claimed_until" timestamp (3) with time zone,
	"last_at" timestamp (3) with time zone,
	"last_status" smallint,
	"last_error" text,
	"result" jsonb,
	"result_error" text,
	"answered_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signed_uploads" (
	"project_id" text NOT NULL,
	"key" text collate "C" NOT NULL,
	"state" text NOT NULL,
	"error" text,
	"api_key_id" text,
	"signature" text,
	"upload_id" text,
	"file_id" text,
	"custom_id" text,
	"name" text,
	"size" bigint,
	"type" text,
	"slug" text,
	"last_modified" bigint,
	"metadata" jsonb,
	"callback_url" text,
	"is_dev" boolean DEFAULT false NOT NULL,
	"await_server_data" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "signed_uploads_project_id_key_pk" PRIMARY KEY("project_id","key")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "sealed_token" "bytea";--> statement-breakpoint
ALTER TABLE "callbacks" ADD CONSTRAINT "callbacks_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "signed_uploads" ADD CONSTRAINT "signed_uploads_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "signed_uploads" ADD CONSTRAINT "signed_uploads_file_id_files_id_fk" FOREIGN KEY ("file_id") REFERENCES "public"."files"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "callbacks_once" ON "callbacks" USING btree ("upload_id","hook");--> statement-breakpoint
CREATE INDEX "callbacks_project" ON "callbacks" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "callbacks_key" ON "callbacks" USING btree ("project_id","file_key","id");--> statement-breakpoint
CREATE INDEX "callbacks_due" ON "callbacks" USING btree ("next_at") WHERE state = 'pending';--> statement-breakpoint
CREATE UNIQUE INDEX "signed_uploads_custom" ON "signed_uploads" USING btree ("project_id","custom_id") WHERE custom_id is not null;--> statement-breakpoint
CREATE INDEX "signed_uploads_file" ON "signed_uploads" USING btree ("file_id") WHERE file_id is not null;--> statement-breakpoint
CREATE INDEX "signed_uploads_unsettled" ON "signed_uploads" USING btree ("updated_at") WHERE state in ('waiting', 'uploading');--> statement-breakpoint
CREATE INDEX "api_keys_signing" ON "api_keys" USING btree ("project_id") WHERE sealed_token is not null and revoked_at is null;