import type { Routes } from '../http/types.ts';
import { appRoutes } from './app-routes.ts';
import { ingestRoutes } from './ingest-routes.ts';
import { restRoutes } from './rest-routes.ts';

/** UploadThing's protocol: an app that was written for it changes its environment alone (docs/uploadthing.md). */
export const uploadthingRoutes: Routes = (app, carcosa) => {
  ingestRoutes(app, carcosa);
  appRoutes(app, carcosa);
  restRoutes(app, carcosa);
};
