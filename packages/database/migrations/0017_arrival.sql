-- Contents that are not served: "pending" until a scan has found them clean, "infected" or "unscannable" after one that has not, "rejected" by an
-- inspector. Null for all others.
ALTER TABLE "objects" ADD COLUMN "quarantine" text;--> statement-breakpoint
ALTER TABLE "objects" ADD COLUMN "quarantine_reason" text;
