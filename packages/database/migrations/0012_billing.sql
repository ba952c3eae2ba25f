CREATE TABLE "billing_customers" (
	"organization_id" text PRIMARY KEY NOT NULL,
	"customer_id" text NOT NULL,
	"since" date NOT NULL
);
--> statement-breakpoint
CREATE TABLE "billing_reports" (
	"organization_id" text NOT NULL,
	"metric" text NOT NULL,
	"day" date NOT NULL,
	"sequence" integer NOT NULL,
	"customer_id" text NOT NULL,
	"value" bigint NOT NULL,
	"faults" integer DEFAULT 0 NOT NULL,
	"error" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"reported_at" timestamp (3) with time zone,
	CONSTRAINT "billing_reports_organization_id_day_metric_sequence_pk" PRIMARY KEY("organization_id","day","metric","sequence")
);
--> statement-breakpoint
ALTER TABLE "billing_customers" ADD CONSTRAINT "billing_customers_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
CREATE INDEX "billing_reports_due" ON "billing_reports" USING btree ("day") WHERE reported_at is null;
--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "event_retention_days" integer;
--> statement-breakpoint
-- Events are written in the order of time: a summary of each range of blocks leads to a day or a month, and costs an insert nothing to speak of.
CREATE INDEX "events_created" ON "events" USING brin ("created_at") WITH (pages_per_range = 32, autosummarize = on);
