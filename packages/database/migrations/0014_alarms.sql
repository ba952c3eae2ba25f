CREATE TABLE "alarms" (
	"id" text PRIMARY KEY NOT NULL,
	"organization_id" text,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"threshold" double precision NOT NULL,
	"for_minutes" integer NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"to_administrators" boolean DEFAULT true NOT NULL,
	"emails" text[] DEFAULT '{}' NOT NULL,
	"webhook_url" text,
	"webhook_secret" "bytea",
	"chat_url" "bytea",
	"chat_host" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "alarm_states" (
	"alarm_id" text NOT NULL,
	"subject" text NOT NULL,
	"label" text NOT NULL,
	"phase" text NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"fired_at" timestamp (3) with time zone,
	"value" double precision NOT NULL,
	CONSTRAINT "alarm_states_alarm_id_subject_pk" PRIMARY KEY("alarm_id","subject")
);
--> statement-breakpoint
CREATE TABLE "node_samples" (
	"instance" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"requests" integer NOT NULL,
	"failures" integer NOT NULL,
	"disk_free" double precision,
	CONSTRAINT "node_samples_at_instance_pk" PRIMARY KEY("at","instance")
);
--> statement-breakpoint
ALTER TABLE "alarms" ADD CONSTRAINT "alarms_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "alarm_states" ADD CONSTRAINT "alarm_states_alarm_id_alarms_id_fk" FOREIGN KEY ("alarm_id") REFERENCES "public"."alarms"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "alarms_organization" ON "alarms" USING btree ("organization_id","id");
