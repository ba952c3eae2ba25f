export type { Carcosa, CarcosaOptions } from './client.ts';
export { createCarcosa } from './client.ts';
export type { CarcosaErrorCode, ClientErrorCode } from './errors.ts';
export { CarcosaError, isCarcosaError } from './errors.ts';
export type { OperationData, OperationInput, OperationName } from './http.ts';
export type {
  ApiKey,
  Bucket,
  ErrorCode,
  EventType,
  File,
  FileVersion,
  Folder,
  Operations,
  Project,
  Tenant,
  Upload,
  Webhook,
} from './openapi.ts';
export type { Page, Pages } from './pages.ts';
export type { TransformAddress, TransformOptions } from './transform/url.ts';
export { transformSteps, transformUrl } from './transform/url.ts';
export type { UploadProgress } from './upload/progress.ts';
export type {
  RouteClient,
  RouteClientOptions,
  RouteConfig,
  RoutedFile,
  RouteInput,
  RouterTypes,
  RouteServerData,
  RouteUploadOptions,
} from './upload/routes.ts';
export { createRouteClient } from './upload/routes.ts';
export type { UploadInput, UploadSource, UriFile } from './upload/source.ts';
export { type UploadState, UploadTask } from './upload/task.ts';
export { type UploadOptions, Uploads } from './upload/uploads.ts';
export type { VerifyWebhookOptions, WebhookEvent } from './webhooks.ts';
export { verifyWebhook } from './webhooks.ts';
/** The version of this package, as in its package.json. */
export const VERSION = '0.1.0';
